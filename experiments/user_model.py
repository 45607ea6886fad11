"""A model of the user's own, FILE.py:NAME: an (init, apply) pair, or a callable object that has an `init`."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class UserModel(NamedTuple):
    """init(key) -> params and apply(params, x), x of shape (N, *point_shape) with a sample in each row.

    source: FILE.py:NAME, as given.  apply returns (N,) or (N, m), each row a function of its own sample alone.
    """

    source: str
    init: Callable[[Any], Any]
    apply: Callable[[Any, Any], Any]
    point_shape: tuple[int, ...]


def load_model(source: str, point_shape: tuple[int, ...]) -> UserModel:
    """Import FILE.py and take NAME from it, then try the model on two points.

    Raises ValueError, in one sentence, when there is no such file or name, when it is no model, or when the model
    cannot be applied to points of this shape.
    """
    file, separator, name = source.rpartition(":")
    if not separator or not file.endswith(".py") or not name:
        raise ValueError(f"model must be FILE.py:NAME, but was {source!r}")
    if not Path(file).is_file():
        raise ValueError(f"model must name a file that exists, but there is no {file}")
    if not all(size >= 1 for size in point_shape):
        raise ValueError(f"point shape must be positive numbers, but was {point_shape}")
    found = _attribute(Path(file), name)
    if isinstance(found, tuple) and len(found) == 2 and all(callable(part) for part in found):
        init, apply = found
    elif callable(found) and callable(getattr(found, "init", None)):
        init, apply = found.init, found
    else:
        raise ValueError(
            f"{name} in {file} must be a pair (init, apply) or a callable with a method init, "
            f"but was {type(found).__name__}"
        )
    _try(source, init, apply, point_shape)
    return UserModel(source, init, apply, tuple(point_shape))


def _attribute(file: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None  # a .py file always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # dataclasses look their module up while they are defined
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"model file {file} must import, but it raised {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        raise ValueError(f"model must name something in {file}, but there is no {name!r} in it")
    return getattr(module, name)


def _try(source: str, init: Callable[..., Any], apply: Callable[..., Any], point_shape: tuple[int, ...]) -> None:
    try:
        params = init(jax.random.key(0))
        outputs = jax.eval_shape(apply, params, jnp.zeros((2, *point_shape)))
    except Exception as error:
        reason = (str(error).strip() or "no message").splitlines()[0]
        raise ValueError(
            f"model {source} must apply to two points of shape {point_shape}, but it raised "
            f"{type(error).__name__}: {reason}"
        ) from error
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) not in (1, 2) or shape[0] != 2:
        raise ValueError(f"model {source} must return shape (2,) or (2, m) for two points, but it returned {shape}")
