"""Amounts as people read them: a duration, a size in bytes."""

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def duration(seconds: float) -> str:
    """Two digits or so of a duration: 0.42 s, 12 s, 7 min, 2.5 h, 3 d."""
    for size, unit in _UNITS:
        if seconds >= size:
            number = seconds / size
            return f"{number:.1f} {unit}" if number < 10 and unit != "min" else f"{number:,.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def size(number: float) -> str:
    """Bytes in decimal units: 12 B, 3.4 kB, 120 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
