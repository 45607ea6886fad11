"""A Python script that computes again, bit for bit, what the page showed of a state after so many steps."""

from experiments.explore.state import State, to_toml
from experiments.user_model import UserModel

_TEMPLATE = '''"""What `uniformity explore` showed, computed again: run it where data-uniformity is installed.

On the same machine and versions every number comes out the same to the last bit.
"""

from experiments.explore.panels import measure
from experiments.explore.record import numbers
from experiments.explore.scene import scene
from experiments.explore.state import from_toml
from experiments.explore.training import Training
{imports}
STATE = """
{toml}"""

shown = scene(from_toml(STATE){own})
training = Training(shown)
training.advance({steps})
for name, value in numbers(training, measure(shown)).items():
    print(f"{{name}} = {{value!r}}")
'''


def snippet(state: State, steps: int, own: UserModel | None = None) -> str:
    """The script's text: it prints `experiments.explore.record.numbers`, one a line.

    own: the user's model, loaded again from the file it came from.
    """
    imports, argument = "", ""
    if own is not None:
        imports = "from experiments.user_model import load_model\n"
        argument = f", load_model({own.source!r}, {own.point_shape!r})"
    return _TEMPLATE.format(imports=imports, toml=to_toml(state), own=argument, steps=steps)
