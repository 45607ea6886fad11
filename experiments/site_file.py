"""A cluster as its users describe it to the batch system, in one TOML file: how many jobs, how large, and where.

system = "slurm"            # or "pbs", "lsf", "sge"
jobs = 20                   # this many are asked for; the sweep begins with the first
cores = 4                   # of a job: as many processes of one thread each
memory = "8GB"              # of a job
walltime = "04:00:00"
queue = "normal"
account = "my-project"
directives = ["--constraint=icelake"]
prologue = ["module load python", "source ~/data-uniformity/.venv/bin/activate"]
"""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

System = Literal["slurm", "pbs", "lsf", "sge"]


@dataclass(frozen=True)
class Site:
    """What a site file says.

    jobs: how many to ask for; a lost one is asked for again.  cores, memory: of each; a worker process of one thread a
    core.  walltime: as the system writes it.  queue: or partition.  directives: further options of the submission, and
    skip: texts whose lines are left out of it.  resource_spec: in place of what follows from cores and memory (PBS,
    SGE).  prologue: shell lines before the workers.  python: of the workers; by default this one's path.  interface:
    of the network, such as ib0, and port: where the scheduler listens there.  local_directory: of the workers' own
    files.  log_directory: of the jobs' output.
    """

    system: System
    jobs: int
    cores: int
    memory: str
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    resource_spec: str | None = None
    prologue: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    port: int = 0
    local_directory: str | None = None
    log_directory: str | None = None


_REQUIRED = ("system", "jobs", "cores", "memory")
_LISTS = ("directives", "skip", "prologue")
_NUMBERS = {"jobs": 1, "cores": 1, "port": 0}


def read_site(path: Path) -> Site:
    """The site that a TOML file describes. Raises ValueError with one sentence, OSError where there is no file."""
    try:
        given = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be a TOML file, but {error}") from error
    names = [field.name for field in fields(Site)]
    for name, value in given.items():
        if name not in names:
            raise ValueError(f"every key of {path} must be one of {', '.join(names)}, but one was {name}")
        _require(path, name, value)
    for name in _REQUIRED:
        if name not in given:
            raise ValueError(f"{path} must have a value for {name}, but has none")
    if "resource_spec" in given and given["system"] not in ("pbs", "sge"):
        raise ValueError(f"resource_spec of {path} must go with pbs or sge, but system was {given['system']!r}")
    values: dict[str, Any] = {name: tuple(value) if name in _LISTS else value for name, value in given.items()}
    return Site(**values)


def _require(path: Path, name: str, value: Any) -> None:
    """Raises ValueError unless the value is of the key's type and possible."""
    if name in _NUMBERS:
        wanted = f"a whole number of at least {_NUMBERS[name]}"
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= _NUMBERS[name]
    elif name in _LISTS:
        wanted = "a list of texts of one line"
        fits = isinstance(value, list) and all(isinstance(line, str) and "\n" not in line for line in value)
    elif name == "system":
        wanted = f"one of {', '.join(get_args(System))}"
        fits = value in get_args(System)
    elif name == "memory":
        wanted = 'a size such as "8GB"'
        fits = isinstance(value, str) and _is_size(value)
    else:
        wanted = "a text of one line"
        fits = isinstance(value, str) and bool(value) and "\n" not in value
    if not fits:
        raise ValueError(f"{name} of {path} must be {wanted}, but was {value!r}")


def _is_size(text: str) -> bool:
    from dask.utils import parse_bytes

    try:
        return parse_bytes(text) >= 2**20  # fewer are megabytes or gigabytes whose unit was forgotten
    except ValueError:
        return False
