"""What the page gives away: the state, the figure, the record, and a script that makes its numbers again."""

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import marimo as mo

from experiments.explore.record import record
from experiments.explore.snippet import snippet
from experiments.explore.state import State, to_query, to_toml
from experiments.explore.training import Training
from experiments.records import RecordStore
from figures.explore import pictures
from figures.explore.page import shared
from figures.explore.paper import figure_files
from figures.explore.plot import Plot
from figures.explore.session import PANELS, Desk, Look

_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a ZIP file can hold: the same run makes the same bytes."""


def plots_of(look: Look, training: Training) -> list[Plot]:
    """All panels that apply, the run's first where it has begun."""
    made = pictures.run_plots(training.history, None, target=look.scene.state.target) if training.frame.step else []
    for panel in PANELS.values():
        found = panel.compute(look)
        if not isinstance(found, str):
            made.append(panel.draw(found))
    return made


def bundle(look: Look, training: Training) -> bytes:
    """A ZIP file: state.toml, reproduce.py, the record (.json and .npz) and the figure as PDF, SVG and PNG."""
    files = {
        "state.toml": to_toml(look.scene.state).encode(),
        "reproduce.py": snippet(look.scene.state, training.frame.step, look.scene.own).encode(),
        **_record_files(look, training),
        **{f"figure.{kind}": data for kind, data in figure_files(plots_of(look, training)).items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"uniformity-explore/{name}", _DATE), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _record_files(look: Look, training: Training) -> dict[str, bytes]:
    """The record as a store keeps it: a store opened on the folder reads it."""
    with TemporaryDirectory() as folder:
        RecordStore(Path(folder)).put(record(training, look.panels))
        return {f"record/{path.name}": path.read_bytes() for path in sorted(Path(folder).iterdir())}


def share(look: Look | str, state: State, desk: Desk) -> mo.Html | None:
    """The address, the file and the export of what is shown."""
    run = desk.run
    if isinstance(look, str) or run is None:
        return None

    def bundled() -> bytes:
        with run.stopped() as training:
            return bundle(look, training)

    button = mo.download(
        data=bundled,
        filename="uniformity-explore.zip",
        mimetype="application/zip",
        label="Export figure, record and script",
    )
    return mo.Html(shared(f"{button}", query=to_query(state), toml=to_toml(state)))
