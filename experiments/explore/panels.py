"""All that is measured of a scene before it is trained, in one call."""

from typing import NamedTuple

from experiments.explore.layers import LayersPanel, layers
from experiments.explore.projection import Projection, projection
from experiments.explore.scene import Scene
from experiments.explore.spectrum import SpectrumPanel, spectrum
from experiments.explore.step_floors import StepFloors, step_floors
from experiments.explore.step_marks import StepMarks, step_marks


class Panels(NamedTuple):
    """layers: a sentence where the network has none to look at."""

    projection: Projection
    spectrum: SpectrumPanel
    floors: StepFloors
    layers: LayersPanel | str
    marks: StepMarks


def measure(scene: Scene) -> Panels:
    """Every panel of a scene. Raises ValueError where its kernel is not finite."""
    found = spectrum(scene)
    return Panels(projection(scene), found, step_floors(scene, found), layers(scene), step_marks(scene, found))
