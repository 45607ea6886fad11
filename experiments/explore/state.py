"""One state of the explorer: every control as a plain value, and its two written forms, a URL query and a TOML file.

Both forms name only what differs from the default, and give back the same state to the bit. A `State` is well formed
by itself (each value within its control's range); whether its values go together is `experiments.explore.problems`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import parse_qsl, urlencode

from experiments.architecture import ARCHITECTURES, NORMALISATIONS
from experiments.blocks import ACTIVATIONS
from experiments.initialisation import SCALINGS
from experiments.points import FAMILIES, dials_of
from experiments.studies.labelled_pair import LABELLINGS

OWN = "own"
"""The kind of architecture that stands for the user's model, which is never named by a state."""


class Choice(NamedTuple):
    """A control that takes one of a few names."""

    meaning: str
    names: tuple[str, ...]


class Range(NamedTuple):
    """A control that takes a number from low to high, both included; whole: an integer."""

    meaning: str
    low: float
    high: float
    whole: bool


class Switch(NamedTuple):
    """A control that is on or off."""

    meaning: str


Control = Choice | Range | Switch

_DIALS = frozenset({"h", "cluster_size"})
_CONTROLLED = tuple(
    name for name in FAMILIES if {dial for dial, required in dials_of(name).items() if required} <= _DIALS
)

CONTROLS: Mapping[str, Control] = MappingProxyType(
    {
        "kind": Choice("architecture", (*ARCHITECTURES, OWN)),
        "depth": Range("hidden layers, residual branches or transformer layers", 1, 64, True),
        "width": Range("units of a layer", 1, 4096, True),
        "bottleneck": Range("hidden units of a residual branch; none: the architecture's own", 1, 16384, True),
        "heads": Range("attention heads", 1, 16, True),
        "activation": Choice("activation function", tuple(ACTIVATIONS)),
        "skip": Switch("skip connections"),
        "normalisation": Choice("normalisation before each branch", tuple(NORMALISATIONS)),
        "scaling": Choice("initialisation and parametrisation", tuple(SCALINGS)),
        "domain": Choice("where the points live", ("cube", "sphere")),
        "num_points": Range("N, the number of points", 2, 64, True),
        "dim": Range("d, the coordinates of a point or of a token", 1, 64, True),
        "tokens": Range("tokens of a sequence", 1, 16, True),
        "family": Choice("family of the points", _CONTROLLED),
        "h": Range("h_min, where the family prescribes it", 0.0, 10.0, False),
        "cluster_size": Range("points of the cluster that closes up", 2, 8, True),
        "labelling": Choice("labels", tuple(LABELLINGS)),
        "lipschitz": Range("Lipschitz constant of the labels before gap and noise", 0.0, 100.0, False),
        "gap": Range("label gap on the closest pair", 0.0, 100.0, False),
        "noise": Range("standard deviation of the label noise", 0.0, 100.0, False),
        "step_size": Range("eta, the step size of gradient descent", 1e-12, 1e6, False),
        "target": Range("eps, the loss at which training stops", 1e-30, 1e6, False),
        "seed": Range("seed of points, labels and initialisation", 0, 2**31 - 1, True),
        "precision": Choice("arithmetic of the network", ("float64", "float32")),
    }
)
"""Every control by the name of its field, in the order in which a page shows them."""


@dataclass(frozen=True)
class State:
    """All controls; by default the residual network of the studies on points of which one pair is close.

    bottleneck: None for the architecture's own default.  Raises ValueError, one sentence, for the first value that is
    not of its control's kind.  Whole numbers become floats where a control takes any number.
    """

    kind: str = "residual"
    depth: int = 2
    width: int = 32
    bottleneck: int | None = None
    heads: int = 2
    activation: str = "tanh"
    skip: bool = True
    normalisation: str = "none"
    scaling: str = "xavier"
    domain: str = "cube"
    num_points: int = 12
    dim: int = 4
    tokens: int = 4
    family: str = "pair_collapse"
    h: float = 0.1
    cluster_size: int = 3
    labelling: str = "gap"
    lipschitz: float = 2.0
    gap: float = 0.5
    noise: float = 0.3
    step_size: float = 0.005
    target: float = 1e-3
    seed: int = 0
    precision: str = "float64"

    def __post_init__(self) -> None:
        for name in CONTROLS:
            object.__setattr__(self, name, _fitting(name, getattr(self, name)))

    def changes(self) -> dict[str, Any]:
        """The controls that differ from the default, in the page's order."""
        return {name: value for name in CONTROLS if (value := getattr(self, name)) != getattr(DEFAULT, name)}


def _fitting(name: str, value: Any) -> Any:
    """The value as its control holds it. Raises ValueError, one sentence, where it is not of its control's kind."""
    control = CONTROLS[name]
    if name == "bottleneck" and value is None:
        return None
    if wish := _unmet(control, value):
        raise ValueError(f"{name} must be {wish}, but was {value!r}")
    return float(value) if isinstance(control, Range) and not control.whole else value


def _unmet(control: Control, value: Any) -> str:
    """What the value must be and is not; empty where it is."""
    match control:
        case Choice(_, names):
            return "" if value in names else f"one of {', '.join(names)}"
        case Switch():
            return "" if isinstance(value, bool) else "true or false"
        case Range(_, low, high, whole):
            fits = _is_whole(value) if whole else _is_number(value)
            kind = "a whole number" if whole else "a number"
            return "" if fits and low <= value <= high else f"{kind} from {low:g} to {_short(high)}"


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> TypeGuard[float]:
    return _is_whole(value) or isinstance(value, float)


def _short(number: float | int) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


DEFAULT = State()

_IDLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "plain": ("bottleneck", "heads", "skip", "normalisation", "tokens"),
        "residual": ("heads", "tokens"),
        "transformer": ("domain",),
        OWN: (
            "depth",
            "width",
            "bottleneck",
            "heads",
            "activation",
            "skip",
            "normalisation",
            "scaling",
            "dim",
            "tokens",
        ),
    }
)


def idle_controls(state: State) -> frozenset[str]:
    """The controls that change nothing in this state: a plain network has no skip, iid points no prescribed h."""
    idle = set(_IDLE[state.kind])
    idle |= _DIALS - set(dials_of(state.family))
    idle |= {"gap": {"noise"}, "smooth": {"gap", "noise"}, "noise": {"gap"}}[state.labelling]
    return frozenset(idle)


def to_query(state: State) -> str:
    """The state as a URL query, without the question mark; empty for the default."""
    return urlencode({name: _written(value) for name, value in state.changes().items()})


def from_query(query: str | Mapping[str, str | Sequence[str]]) -> State:
    """The state of a URL query, or of its parsed keys and values.

    Raises ValueError, one sentence, for a key that is no control, a key given twice, or a value that is not its
    control's.
    """
    pairs: list[tuple[str, str]] = []
    if isinstance(query, str):
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True)
    else:
        for name, given in query.items():
            pairs += [(name, text) for text in ([given] if isinstance(given, str) else given)]
    for place, (name, _) in enumerate(pairs):
        _require_control(name)
        if name in dict(pairs[:place]):
            raise ValueError(f"{name} must be given once, but was given twice")
    return State(**{name: _fitting(name, _read(name, text)) for name, text in pairs})


def _require_control(name: str, where: str = "key") -> None:
    if name not in CONTROLS:
        raise ValueError(f"{where} must be one of {', '.join(CONTROLS)}, but was {name!r}")


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(name: str, text: str) -> Any:
    """The value of a query's text; text that does not read as the control's kind stays, for State to refuse."""
    control = CONTROLS[name]
    if isinstance(control, Switch):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(control, Choice):
        return text
    try:
        return int(text) if control.whole else float(text)
    except ValueError:
        return text


def to_toml(state: State) -> str:
    """The state as a TOML file, each key with what it means; the default has comments only."""
    lines = ["# A state of `uniformity explore`; what is not named is at its default."]
    for name, value in state.changes().items():
        written = f'"{value}"' if isinstance(value, str) else _written(value)
        lines.append(f"{name} = {written}  # {CONTROLS[name].meaning}")
    return "\n".join(lines) + "\n"


def from_toml(text: str, *, source: str = "state") -> State:
    """The state of a TOML file's text; source: how messages name it.

    Raises ValueError, one sentence with the line, for text that is not TOML, an unknown key or a bad value.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source} must be TOML, but reading it failed: {error}") from error
    values = {}
    for name, value in found.items():
        line = _line_of(name, text)
        _require_control(name, f"{source} line {line}: key")
        try:
            values[name] = _fitting(name, value)
        except ValueError as error:
            raise ValueError(f"{source} line {line}: {error}") from error
    return State(**values)


def _line_of(name: str, text: str) -> int:
    """The line of a TOML text that gives a key or opens a table of this name."""
    start = re.compile(rf'\s*\[*"?{re.escape(name)}\b')
    return next((line for line, row in enumerate(text.splitlines(), 1) if start.match(row)), 1)


def load_state(path: Path) -> State:
    """The state of a TOML file. Raises ValueError, one sentence, when it cannot be read or is no state."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"state must be a readable text file, but {path} is not: {error}") from error
    return from_toml(text, source=str(path))
