"""Where data are made, networks trained, and measurements recorded. One study a file, in `experiments.studies`."""

import theory  # noqa: F401  (switches JAX to float64)
