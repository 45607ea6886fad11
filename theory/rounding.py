"""float64's rounding, in the units in which the checks allow for it."""

EPS = 2.0**-52
"""Distance from 1 to the next float64: an operation errs by at most EPS/2 relative."""

ROUNDING = 4096 * EPS
"""Relative allowance for a sum or product of many terms: T of them err by T EPS at worst and sqrt(T) EPS in practice,
which covers 10^7 steps, and inner products over 10^7 parameters."""
