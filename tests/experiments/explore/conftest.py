"""One shape for all of these tests, the page's default: what is compiled once serves every file of a process."""

import pytest

from experiments.explore.panels import measure
from experiments.explore.scene import scene
from experiments.explore.state import State


@pytest.fixture(scope="session")
def default_scene():
    return scene(State())


@pytest.fixture(scope="session")
def default_panels(default_scene):
    return measure(default_scene)
