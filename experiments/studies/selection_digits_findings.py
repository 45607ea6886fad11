"""What the digits study's records say."""

from experiments.studies.selection_digits_checks import checks
from experiments.study import Findings


def find(preset, by_run):
    """by_run: the record of each run."""
    return Findings(
        {"seeds": preset.seeds}, list(checks(by_run)), [], {name: "to be told" for name in ("R1", "D1", "D3")}
    )
