"""The command `uniformity`: the one place that knows theory, experiments and figures together.

Heavy imports live inside the commands, so that `uniformity --help` answers at once.
"""

import json as json_format
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import cyclopts

app = cyclopts.App(
    name="uniformity",
    help="Does more uniform training data make gradient descent faster, and what exactly can be proved about it?",
)

_Names = Annotated[tuple[str, ...], cyclopts.Parameter(consume_multiple=True)]


class BadInput(Exception):
    """What the user asked for cannot be done; its text is the one sentence that says so."""


def _chosen(kind: str, names: tuple[str, ...], known: Mapping[str, Any]) -> list[Any]:
    """The named entries of a table, all of them when none is named; an unknown name is one clear sentence."""
    for name in names:
        if name not in known:
            raise BadInput(f"{kind} must be one of {', '.join(known)}, but it was {name!r}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _use_all_cores() -> None:
    """One JAX device per core: an ensemble of runs is sharded over devices."""
    import os

    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)


@app.command
def reproduce(
    *,
    preset: Literal["smoke", "quick", "paper"] = "quick",
    only: _Names = (),
    out: Path = Path("out"),
    fresh: bool = False,
    json: bool = False,
) -> int:
    """Train, measure, draw every figure and print the ledger.

    Parameters
    ----------
    preset
        How much is run: smoke takes seconds, quick at most four minutes on two cores, paper is for publication.
    only
        Names of studies; by default all.
    out
        Folder for ledger.json, records/, summaries/ and figures/.
    fresh
        Measure every run anew instead of reusing records.
    json
        Print the ledger as JSON on stdout; progress goes to stderr.
    """
    _use_all_cores()
    from experiments.ledger import ledger
    from experiments.records import RecordStore, write_atomically
    from experiments.reproduce import dump, run_study, write_summary
    from experiments.studies import STUDIES
    from figures.draw import draw_figure
    from figures.terminal import Reporter, print_ledger

    studies = _chosen("--only", only, STUDIES)
    store = RecordStore(out / "records")
    findings = {}
    with Reporter(to_stderr=json) as reporter:
        for study in studies:
            findings[study.name] = run_study(study, preset, store, fresh=fresh, report=reporter)
            summary = write_summary(study, preset, findings[study.name], out / "summaries")
            draw_figure(study.name, summary, out / "figures")
    entries = ledger(
        [check for found in findings.values() for check in found.checks],
        [slope for found in findings.values() for slope in found.slopes],
        {claim: words for found in findings.values() for claim, words in found.words.items()},
    )
    book = {"preset": preset, "studies": list(findings), "claims": entries}
    write_atomically(out / "ledger.json", dump(book))
    if json:
        print(json_format.dumps(book))
    else:
        print_ledger(book, out)
    return 0


@app.command
def claims(*, json: bool = False, graph: bool = False, out: Path = Path("out/figures")) -> int:
    """List every claim: statement, hypotheses, provenance, code, test, study, figure, status.

    Parameters
    ----------
    json
        Print the list as JSON.
    graph
        Draw instead which statement rests on which, coloured by standing, and print the files' paths.
    out
        Folder for the graph's PDF, SVG and PNG files.
    """
    from figures.claims_table import claim_rows
    from figures.terminal import print_claims

    rows = claim_rows()
    if graph:
        from figures import claims_graph, style

        with style.applied():
            for path in style.save(claims_graph.draw(rows), out / "claims_graph"):
                print(path)
        return 0
    if json:
        print(json_format.dumps(rows, indent=1))
    else:
        print_claims(rows)
    return 0


@app.command
def draw(*figures: str, out: Path = Path("out/redrawn")) -> int:
    """Redraw figures from the committed summaries alone; nothing is trained.

    Parameters
    ----------
    figures
        Names of figures; by default all.
    out
        Folder for the PDF, SVG and PNG files.
    """
    from figures.draw import DRAWERS, committed_summary, draw_figure

    for name in _chosen("figure", figures, {name: name for name in DRAWERS}):
        for path in draw_figure(name, committed_summary(name), out):
            print(path)
    return 0


@app.command
def verify(
    *,
    claim: _Names = (),
    model: str | None = None,
    point_shape: Annotated[tuple[int, ...], cyclopts.Parameter(consume_multiple=True)] = (2,),
    examples: int = 200,
    seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> int:
    """Hunt for counterexamples to the claims; exit 1 if one is found, with the smallest instance as runnable Python.

    Parameters
    ----------
    claim
        Ids of claims, such as R2; by default all.
    model
        FILE.py:NAME, an (init, apply) pair of your own: hunts the claims that speak of any model on it.
    point_shape
        Shape of one of that model's input points: 4, or 8 4 for eight tokens of width four.
    examples
        Instances searched per claim.
    seed
        Seed of the search.
    out
        File for the reports as JSON.
    json
        Print the reports as JSON.
    """
    _use_all_cores()
    from experiments.records import write_atomically
    from experiments.reproduce import dump
    from figures.terminal import print_hunt

    if examples < 1:
        raise BadInput(f"--examples must be at least 1, but it was {examples}")
    reports = []
    for report in _searches(claim, model, point_shape, examples=examples, seed=seed):
        tightest = [found._asdict() for found in report.tightest]
        reports.append({**report._asdict(), "tightest": tightest})
        if not json:
            print_hunt(report)
    if out is not None:
        write_atomically(out, dump({"examples": examples, "seed": seed, "claims": reports}))
    if json:
        print(json_format.dumps(reports, indent=1))
    return 1 if any(report["violation"] for report in reports) else 0


def _searches(
    claim: tuple[str, ...], model: str | None, point_shape: tuple[int, ...], *, examples: int, seed: int
) -> Iterator[Any]:
    """Reports of the chosen claims' own hunts, or of the hunts on the user's model."""
    if model is None:
        from experiments.hunt_pool import search_claims
        from experiments.hunts import HUNTS

        chosen = [hunt.claim for hunt in _chosen("--claim", claim, HUNTS)]
        yield from search_claims(chosen, examples=examples, seed=seed)
        return
    from experiments.hunt import search
    from experiments.model_hunts import model_hunts
    from experiments.user_model import load_model

    try:
        own = load_model(model, point_shape)
    except ValueError as error:
        raise BadInput(str(error)) from error
    for hunt in _chosen("--claim", claim, model_hunts(own)):
        yield search(hunt, examples=examples, seed=seed)


@app.command
def certify(
    *,
    arch: Literal["plain", "residual", "transformer"],
    points: str,
    width: int = 8,
    depth: int = 1,
    activation: str = "tanh",
    outputs: int = 1,
    seed: int = 0,
    out: Path = Path("certificate.json"),
    max_bits: int = 1024,
) -> int:
    """Prove in ball arithmetic that lambda_min(K(theta)) > 0 at one theta, hence from almost every initialisation (G6).

    Parameters
    ----------
    arch
        The transformer is pre-norm with one head and LayerNorm.
    points
        The training inputs: FILE.npy or a text file of numbers, or FAMILY:N:DIM such as uniform:6:2, with the family's
        dials behind as in pair_collapse:6:2:h=0.01; token sequences for a transformer, such as uniform:4:3x2.
    width
        Units of a layer, or the transformer's model width.
    depth
        Hidden layers, residual branches, or transformer layers.
    activation
        tanh or gelu; relu is refused, for it is not analytic.
    outputs
        Outputs of the network.
    seed
        Seed of theta, drawn by the architecture's own initialisation, and of a family of points.
    out
        Where the certificate goes.
    max_bits
        Precision at which to give up; it starts at 64 and doubles.
    """
    import os

    from experiments.architecture import ArchitectureConfig
    from experiments.certify import checker
    from experiments.certify.certificate import certify as prove
    from experiments.certify.given_points import given_points
    from experiments.records import write_atomically

    config = ArchitectureConfig(arch, width=width, depth=depth, outputs=outputs, activation=activation)
    try:
        found = prove(config, given_points(points, seed=seed), max_bits=max_bits, seed=seed)
    except ValueError as error:
        raise BadInput(str(error)) from error
    write_atomically(out, found.to_json())
    floor, pivots, bits = found.proof
    print(f"proved: lambda_min(K(theta)) > {floor} > 0 at one theta ({len(pivots)} pivots, {bits} bits)")
    print(
        "hence for any labels, and then all but countably many step sizes, K(theta_s) > 0 at every step of gradient "
        "descent from almost every theta_0 (paper_notes.md, G6)"
    )
    print(f"written to {out}; to check it independently: python {os.path.relpath(checker.__file__)} {out}")
    return 0


def main() -> None:
    """Run the command; bad input is one sentence on stderr and exit status 2, an interrupt 130."""
    try:
        code = app(sys.argv[1:], result_action="return_value")
    except BadInput as error:
        print(f"uniformity: {error}", file=sys.stderr)
        code = 2
    except OSError as error:
        print(f"uniformity: cannot use {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("uniformity: interrupted; finished runs are stored, the same command resumes", file=sys.stderr)
        code = 130
    sys.exit(code)
