"""Shared set-up: run-time shape checks on the project's own packages, two host devices, Hypothesis profiles."""

import gc
import os
import sys
import tempfile

# What one process of the tests has made is there for the others: the workers and the commands that tests start inherit
# the controller's folder, which is gone with the session.
if "UNIFORMITY_TESTS" not in os.environ:
    _SHARED = tempfile.TemporaryDirectory(prefix="uniformity-tests-")
    os.environ["UNIFORMITY_TESTS"] = _SHARED.name
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{_SHARED.name}/compiled"
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    # Where Python may keep no compiled modules beside the sources, every process would compile the libraries anew.
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = f"{_SHARED.name}/python"

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
