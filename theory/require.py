"""Arguments that cannot be what they are called: one sentence that names the first."""


def at_least_zero(**numbers: float) -> None:
    """Raise ValueError for the first negative argument; NaN passes, since a diverged run is data."""
    for name, value in numbers.items():
        if value < 0.0:
            raise ValueError(f"{name} must be at least 0, but was {value}")


def positive(**numbers: float) -> None:
    """Raise ValueError for the first argument that is not positive; NaN is not."""
    for name, value in numbers.items():
        if not value > 0.0:
            raise ValueError(f"{name} must be positive, but was {value}")
