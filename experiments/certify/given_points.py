"""The points a user names on the command line: a file of numbers, or a family of point sets with its size.

points.npy                 an array (N, dim), or (N, tokens, dim)
points.txt                 N lines of dim numbers
uniform:6:2                family, N, dim: experiments.points.families, on the unit cube (or the sphere)
uniform:6:3x2              the same for token sequences, tokens x dim
pair_collapse:6:2:h=1e-9   with the family's dials
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from experiments.points.domains import Cube, Domain, Sphere, Tokens
from experiments.points.families import FAMILIES, construct


def given_points(source: str, *, seed: int = 0) -> Float[np.ndarray, "n ..."]:
    """The points that `source` names, as written above; `seed` draws a family's.

    Raises ValueError, one sentence, where it names none, and OSError for a file that cannot be read.
    """
    family, *numbers = source.split(":")
    if family in FAMILIES:
        return _constructed(source, family, numbers, seed=seed)
    path = Path(source)
    try:
        if path.suffix == ".npy":
            with path.open("rb") as stream:
                points = np.load(stream, allow_pickle=False)
        else:
            points = np.loadtxt(path.read_text().splitlines(), ndmin=2)
        if points.dtype.kind not in "biuf":
            raise ValueError(f"its entries are {points.dtype}")
        return np.asarray(points, dtype=np.float64)
    except FileNotFoundError as error:
        raise ValueError(
            f"points must be a file or FAMILY:N:DIM with a family of {', '.join(FAMILIES)}, but {source!r} is neither"
        ) from error
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"points must be an array of numbers, but {source} is not: {error}") from error


def _constructed(source: str, family: str, numbers: list[str], *, seed: int) -> Float[np.ndarray, "n ..."]:
    try:
        count, shape, *dials = numbers
        num_points, sides = int(count), tuple(int(side) for side in shape.split("x"))
        values = {name: float(value) for name, value in (dial.split("=") for dial in dials)}
    except ValueError as error:
        raise ValueError(
            f"points must be FAMILY:N:DIM or FAMILY:N:TOKENSxDIM, with :NAME=VALUE for each dial, but were {source!r}"
        ) from error
    whole = {name: int(value) if value.is_integer() else value for name, value in values.items()}
    return construct(family, num_points, _domain(family, sides), seed=seed, **whole).points


def _domain(family: str, sides: tuple[int, ...]) -> Domain:
    if len(sides) == 2:
        return Tokens(*sides)
    return (Cube if Cube in FAMILIES[family].domains else Sphere)(*sides)
