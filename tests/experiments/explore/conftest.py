"""One small shape for most of these tests: what is compiled once serves every file of a process."""

import pytest

from experiments.explore.panels import measure
from experiments.explore.scene import scene
from experiments.explore.state import State

SMALL = State(width=8, depth=1)


@pytest.fixture(scope="session")
def small_scene():
    return scene(SMALL)


@pytest.fixture(scope="session")
def small_panels(small_scene):
    return measure(small_scene)
