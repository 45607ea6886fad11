"""A stand-in for Slurm: three commands and a folder with a file for each job that it holds. Its jobs start nothing."""

COMMANDS = {
    "sbatch": """
[ -e refusal ] && { cat refusal >&2; exit 1; }
number=$(( $(cat last 2>/dev/null || echo 100) + 1 ))
echo $number | tee last > holds/$number
echo Submitted batch job $number
""",
    "squeue": "[ -e silence ] && exit 1; ls holds",
    "scancel": "rm -f holds/$1; echo $1 >> cancelled",
}


def install(folder):
    """Write the commands into the folder, which is to be the first of PATH."""
    (folder / "holds").mkdir()
    for name, body in COMMANDS.items():
        path = folder / name
        path.write_text(f"#!/bin/bash\ncd {folder}\nexec 9>lock; flock 9\n{body}")
        path.chmod(0o755)
