"""The arrows go one way (theory <- experiments <- figures), and the packages under test are this repository's."""

import ast
from pathlib import Path

import pytest

import experiments
import figures
import theory

ROOT = Path(__file__).parent.parent
PACKAGES = ("theory", "experiments", "figures")
MAY_IMPORT = {
    "theory": {"theory"},
    "experiments": {"experiments", "theory"},
    "figures": {"figures", "theory"},
}
# The application on top of all three: the command, and what it tells about claims and studies.
COMMAND = {"figures/cli.py", "figures/commands", "figures/explore", "figures/claims_table.py", "figures/report.py"}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} must import absolutely"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))], ids=str)
def test_imports_point_downwards(path):
    place = path.relative_to(ROOT)
    package = place.parts[0]
    if place.as_posix() in COMMAND or place.parent.as_posix() in COMMAND:
        return
    ours = {name for name in imported(path) if name.split(".")[0] in PACKAGES}
    # Figures may write files and read records, nothing else of experiments.
    ours -= {"experiments.records"} if package == "figures" else set()
    assert {name.split(".")[0] for name in ours} <= MAY_IMPORT[package], ours


@pytest.mark.parametrize("path", sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")), ids=str)
def test_no_private_or_experimental_jax(path):
    for name in imported(path):
        assert not name.startswith(("jax._src", "jax.experimental")), name


def test_packages_come_from_this_repository():
    for module in (theory, experiments, figures):
        assert Path(module.__file__).parent.parent == ROOT
