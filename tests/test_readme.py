"""README's promises: its commands are the ones CI runs, its Python examples run, its table is the committed ledger."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_test_command_of_the_readme():
    command = "pip install uv && uv run pytest"
    assert f"\n{command}\n" in README
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(command)


def test_python_examples_run(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "slope" in done.stdout


def test_quoted_exponents_are_the_committed_ones():
    """Every exponent with an interval that README quotes stands in a committed summary."""
    known = set()
    for path in (ROOT / "figures" / "summaries").glob("*.json"):
        for slope in json.loads(path.read_text()).get("slopes", []):
            known.add(f"{slope['measured']:+.2f} [{slope['ci_low']:+.2f}, {slope['ci_high']:+.2f}]")
    quoted = re.findall(r"[+-]\d\.\d\d \[[^\]]*\]", README)
    assert len(quoted) >= 6
    assert set(quoted) <= known, set(quoted) - known
