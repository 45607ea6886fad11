"""The mathematics: statements, explicit constants, bounds, verdicts. Knows no files, no training, no experiments.

One module per claim; each exposes its `CLAIM`, its bound as a pure function of arrays, and a `check` that holds a
measurement against it. Importing the package switches JAX to float64: eigenvalues below 1e-8 are the subject here.
"""

import jax

jax.config.update("jax_enable_x64", True)
