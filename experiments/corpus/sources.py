"""Documented modules, classes and functions of installed packages, read from their sources without importing them.

Sources. Every `.py` file of a package in the order of its path, but no tests and test helpers, no code that the package
  took over from others, none that says in its head that it was generated, and none that only Python 3.11 gets.
Order.   Packages as asked for, files by path, definitions by line.
Cost.    About 10 s of one core for the six packages (42 MB of sources), nearly all in `ast.parse`; once a process.
"""

import ast
import gc
import re
import warnings
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

DISTRIBUTIONS = {
    "numpy": "numpy",
    "scipy": "scipy",
    "matplotlib": "matplotlib",
    "jax": "jax",
    "optax": "optax",
    "sklearn": "scikit-learn",
}
"""Package -> the distribution that installs it; all have permissive licences."""

PACKAGES = tuple(DISTRIBUTIONS)

_TESTS = re.compile(
    r"(tests?|testing|conftest\.py|_?testutils\.py|(\w*_)?test_\w+(\.py)?|\w+_test\.py|estimator_checks\.py)"
)
_TAKEN_OVER = re.compile(
    r"(_?externals?|_?vendor\w*|third_party|array_api_(compat|extra|strict)|cobyqa|pyprima|_?uarray"
    r"|(_inspect|_pep440|decorator)\.py)"
)
_OLD_PYTHON_ONLY = "distutils"  # numpy leaves it out from Python 3.12 on
_GENERATED = re.compile(r"generated (by|from)|auto-?generated|do not edit", re.IGNORECASE)
_HEAD = 400  # characters in which a generated file says so


class Documented(NamedTuple):
    """A module, class or function with a docstring.

    source: "package/path:line".  kind: "module", "class" or "function".  docstring: cleaned of its indentation.
    body: the source below the docstring, indented from 0; "" for modules, classes, and functions that have none.
    """

    source: str
    kind: str
    docstring: str
    body: str


def documented(packages: tuple[str, ...] = PACKAGES) -> tuple[Documented, ...]:
    """Everything documented in the packages, outside of functions.  Raises ValueError for one not installed."""
    return tuple(found for package in packages for found in _documented(package))


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The version of each package's distribution: on what a corpus was mined."""
    return {DISTRIBUTIONS[package]: version(DISTRIBUTIONS[package]) for package in packages}


@cache
def _documented(package: str) -> tuple[Documented, ...]:
    collects = gc.isenabled()
    gc.disable()  # syntax trees have no cycles, but so many nodes that looking for some takes a sixth of the time
    try:
        return tuple(documented_below(_root(package), package))
    finally:
        if collects:
            gc.enable()


def documented_below(root: Path, name: str) -> Iterator[Documented]:
    """Everything documented in the files of a folder; `name` stands in the sources for the folder."""
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).parts):
        inside = path.relative_to(root)
        if not any(_skipped(part) for part in inside.parts):
            text = path.read_text(encoding="utf-8")
            if not _GENERATED.search(text[:_HEAD]):
                yield from documented_in(text, f"{name}/{inside.as_posix()}")


def documented_in(text: str, name: str) -> Iterator[Documented]:
    """What one file's text documents; `name` stands in the sources.  Text that does not parse documents nothing."""
    if '"""' not in text and "'''" not in text:
        return
    try:
        with warnings.catch_warnings():  # of escapes in other people's strings
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except SyntaxError:  # templates, and syntax of another Python
        return
    lines = text.split("\n")
    docstring = ast.get_docstring(module)
    if docstring:
        yield Documented(f"{name}:1", "module", docstring, "")
    for node in _definitions(module.body):
        docstring = ast.get_docstring(node)
        if docstring:
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            body = _body(node, lines) if kind == "function" else ""
            yield Documented(f"{name}:{node.lineno}", kind, docstring, body)


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _definitions(body: list[ast.stmt]) -> Iterator[_Definition]:
    """Classes and functions in the order of their lines; none inside a function, whose text its body already has."""
    for node in body:
        if isinstance(node, _Definition):
            yield node
        if isinstance(node, ast.ClassDef | ast.If | ast.Try | ast.With):
            yield from _definitions(node.body)
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _definitions(handler.body)
        if isinstance(node, ast.If | ast.Try):
            yield from _definitions(node.orelse)


def _body(node: _Definition, lines: list[str]) -> str:
    """From the line below the docstring, comments included; "" where nothing follows or its last line goes on."""
    docstring, *rest = node.body
    if not rest or rest[0].lineno == docstring.end_lineno:
        return ""
    indent = docstring.col_offset
    below = lines[docstring.end_lineno : node.end_lineno]
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in below).strip("\n")


def _skipped(part: str) -> bool:
    return part == _OLD_PYTHON_ONLY or bool(_TESTS.fullmatch(part) or _TAKEN_OVER.fullmatch(part))


def _root(package: str) -> Path:
    if package not in DISTRIBUTIONS:
        raise ValueError(f"packages must be among {', '.join(PACKAGES)}, but had {package!r}")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"the sources of {package} must be installed to mine them, but are not: run `uv sync`")
    return Path(spec.origin).parent
