"""Shared set-up: run-time shape checks on the project's own packages, two host devices, Hypothesis profiles."""

import os

from jaxtyping import install_import_hook

_HOOK = install_import_hook(["theory", "experiments"], "beartype.beartype")

import hypothesis  # noqa: E402
import jax  # noqa: E402

jax.config.update("jax_num_cpu_devices", 2)

_QUIET = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}
hypothesis.settings.register_profile("dev", max_examples=30, **_QUIET)
hypothesis.settings.register_profile("ci", max_examples=60, derandomize=True, database=None, **_QUIET)
hypothesis.settings.register_profile("nightly", max_examples=2000, **_QUIET)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
