"""Shared set-up: run-time shape checks on the project's own packages, two host devices, Hypothesis profiles."""

import gc
import os
import tempfile

# Compiled code is shared by the workers and by the commands that tests start, and gone with the session: the workers
# inherit the controller's folder.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _COMPILED = tempfile.TemporaryDirectory(prefix="compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

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

gc.set_threshold(100_000, 50, 50)  # tracing allocates much that reference counts free: look for cycles rarely
