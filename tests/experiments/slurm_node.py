"""Slurm on one node, all of it in one folder: controller, node daemon and munge with their own configuration and ports.

Nothing outside the folder is touched, and a Slurm that the machine may have is not met: SLURM_CONF points every
command to this one.
"""

import os
import platform
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# proctrack/linuxproc and task/none: inside a container there may be no cgroup to hold jobs.
# config_overrides: otherwise a node with fewer cores than it says is drained.
# Addresses by number: the host's name need not be known to any name service.
# AuthInfo: munge under its own socket, for a system's munge knows another key.
CONFIGURATION = """
ClusterName=uniformity
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=10
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

PROGRAMS = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
"""Program -> the Debian package that has it."""


def install() -> None:
    """Install what is missing. Raises CalledProcessError where that fails."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True)


@contextmanager
def slurm_node(folder: Path) -> Iterator[dict[str, str]]:
    """Environment variables with which Slurm's commands, and what they start, find it. It ends with the block."""
    host = platform.node().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munged refuses a socket in a folder that others can write
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    ports = {"controller_port": _free_port(), "node_port": _free_port()}
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, **ports))
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    munge = [f"--{name}={folder}/munge.{name.removesuffix('-file')}" for name in ("socket", "pid-file", "log-file")]
    with ExitStack() as stack:
        for command in (
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--seed-file={folder}/munge.seed", *munge],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", host],
        ):
            stack.callback(_end, subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        _wait_until_idle(environment, folder)
        yield environment


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if told.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
    raise RuntimeError(f"the node must become idle, but is {told.stdout}{told.stderr}\n{logs}")


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
