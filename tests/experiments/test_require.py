"""What a study refuses before it runs: nothing that a preset plans, each impossible field by its name, and truly
impossible ones: what is refused cannot be measured, what passes can."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.points import Cube, construct
from experiments.studies import STUDIES, greedy_designs, requirements, separation_law
from experiments.studies.separation_law import SeparationRun


@pytest.mark.parametrize("name", STUDIES)
def test_everything_that_a_preset_plans_passes(name):
    study = STUDIES[name]
    for preset in study.presets.values():
        runs = study.plan(preset)
        last = max(run.seed for run in runs)
        for run in runs:
            if run.seed in (0, last):  # what is possible does not depend on much else that a preset varies
                study.require(run)


def changed(run, changes):
    """The run with fields replaced; dotted names are fields within fields."""
    for name, value in changes.items():
        outer, _, inner = name.partition(".")
        run = replace(run, **{outer: replace(getattr(run, outer), **{inner: value}) if inner else value})
    return run


ARCHITECTURE = [
    ("architecture.kind", {"architecture.kind": "resnet"}),
    ("architecture.width", {"architecture.width": 0}),
    ("architecture.depth", {"architecture.depth": -1}),
    ("architecture.depth", {"architecture.depth": 10**12}),
    ("architecture.outputs", {"architecture.outputs": 2}),
    ("architecture.outputs", {"architecture.outputs": 0}),
    ("architecture.activation", {"architecture.activation": "sin"}),
    ("architecture.scaling", {"architecture.scaling": "he"}),
    ("architecture.normalisation", {"architecture.kind": "residual", "architecture.normalisation": "batch"}),
    ("point_shape", {"point_shape": ()}),
    ("point_shape", {"point_shape": (0,)}),
]
PLAIN = [
    ("architecture.bottleneck", {"architecture.bottleneck": 4}),
    ("architecture.eps", {"architecture.eps": 0.1}),
    ("point_shape", {"point_shape": (4, 2)}),
    ("point_shape", {"architecture.kind": "transformer"}),
]
TRANSFORMER = [("architecture.heads", {"architecture.heads": 3}), ("architecture.eps", {"architecture.eps": 0.0})]
SEED = [("seed", {"seed": -1}), ("seed", {"seed": 2**32})]
DESCENT = [
    ("step_size", {"step_size": 0.0}),
    ("target", {"target": -1e-3}),
    ("max_steps", {"max_steps": 0}),
    ("max_steps", {"max_steps": 2**31}),
]
PAIR = [
    ("num_points", {"num_points": 1}),
    ("h", {"h": -0.1}),
    ("h", {"h": 1.4}),  # below the packing ceiling, above what this seed's points leave
    ("h", {"h": 2.5}),
    ("num_points", {"num_points": 10**9}),
    ("h", {"num_points": 2**14, "h": 0.4}),
]
LABELS = [
    ("labelling", {"labelling": "rough"}),
    ("gap", {"gap": float("inf")}),
    ("lipschitz", {"lipschitz": -1.0}),
    ("noise", {"noise": -0.1}),
]
STEPS = [("steps", {"steps": 0}), ("hessians", {"hessians": 0})]

IMPOSSIBLE = {
    ("separation_law",): [
        ("design", {"design": "uniform"}),
        ("num_points", {"num_points": 1}),
        ("replicates", {"replicates": 0}),
        *SEED,
    ],
    ("greedy_designs",): [
        ("design", {"design": "greedy"}),
        ("dim", {"dim": 4}),
        ("sizes", {"sizes": ()}),
        ("sizes", {"sizes": (1,)}),
        ("sizes", {"sizes": (10**300,)}),
        ("sizes", {"design": "one random point a cell", "dim": 2, "sizes": (16, 17)}),
        ("sizes", {"design": "greedy, M = 32,768", "replicates": 1, "sizes": (40_000,)}),
        ("replicates", {"design": "greedy, M = 2 N", "replicates": 2}),
        *SEED,
    ],
    ("kernel_spectrum",): [
        *ARCHITECTURE,
        *PLAIN,
        *SEED,
        ("num_points", {"num_points": 1}),
        ("cluster_size", {"cluster_size": 13}),
        ("cluster_size", {"cluster_size": 1}),
        ("separations", {"separations": ()}),
        ("separations", {"separations": (0.1, 0.0)}),
        ("separations", {"separations": (0.1, 3.0)}),
        ("separations", {"separations": (0.5,), "cluster_size": 6}),
    ],
    ("tail_slope",): [
        *ARCHITECTURE,
        *PLAIN,
        *SEED,
        *PAIR,
        *LABELS,
        *DESCENT,
        ("displacement", {"displacement": 0.0}),
        ("window", {"window": 0}),
    ],
    ("slowdown",): [*ARCHITECTURE, *PLAIN, *SEED, *PAIR, *LABELS, *DESCENT],
    ("selection_dial",): [
        *ARCHITECTURE,
        *PLAIN,
        *SEED,
        *DESCENT,
        ("num_points", {"num_points": 1}),
        ("design", {"design": "sobol"}),
        ("labelling", {"labelling": "gap"}),
        ("pool_ratio", {"pool_ratio": 0}),
        ("pool_ratio", {"design": "boundary", "pool_ratio": 4}),
        ("darts", {"darts": 0.0}),
        ("darts", {"design": "darts", "pool_ratio": 1, "darts": 1.2}),
        ("fresh_points", {"fresh_points": 0}),
    ],
    ("approximation",): [
        *ARCHITECTURE,
        *SEED,
        *DESCENT,
        ("architecture.activation", {"architecture.activation": "relu"}),
        ("point_shape", {"point_shape": (3,)}),
        ("design", {"design": "dial"}),
        ("design", {"design": "grid"}),
        ("design", {"separation": 0.1}),
        ("num_points", {"num_points": 15, "design": "lattice", "point_shape": (2,)}),
        ("separation", {"separation": 0.0, "design": "dial"}),
        ("separation", {"separation": 1.5, "design": "dial"}),
        ("lipschitz", {"lipschitz": -1.0}),
        ("gap", {"gap": float("nan")}),
    ],
    ("convergence",): [*ARCHITECTURE, *PLAIN, *SEED, *PAIR, *STEPS, ("step_size", {"step_size": -0.1})],
    ("safe_step",): [
        *SEED,
        *STEPS,
        ("num_points", {"num_points": 0}),
        ("point_shape", {"point_shape": (4, 2)}),
        ("horizons", {"horizons": ()}),
        ("horizons", {"horizons": (0.0,)}),
    ],
    ("propagation", "plain"): [
        ("skip", {"skip": True}),
        ("architecture.depth", {"architecture.depth": 1}),
        *ARCHITECTURE[:9],
        *SEED,
        *PAIR[:4],
        ("branch_constant", {"branch_constant": 0.0}),
        ("profile", {"branch_constant": 0.5, "profile": False}),
    ],
    ("selection_digits",): [
        *ARCHITECTURE[:7],
        *SEED,
        ("training.loss", {"training.loss": "hinge"}),
        ("training.optimiser", {"training.optimiser": "adamw"}),
        ("training.step_size", {"training.step_size": 0.0}),
        ("pool_size", {"pool_size": 1797}),
        ("held_out", {"held_out": 600}),
        ("method", {"method": "nearest"}),
        ("subset_size", {"subset_size": 1}),
        ("subset_size", {"subset_size": 1281}),
        ("subset_size", {"method": "trimmed", "subset_size": 1200}),
        ("subset_size", {"method": "full"}),
        ("embedding", {"embedding": "tfidf"}),
        ("knob", {"knob": "noise"}),
        ("share", {"share": 0.1}),
        ("share", {"knob": "outliers", "share": 1.0}),
        ("draw", {"draw": -1}),
        ("batch_size", {"batch_size": 0}),
        ("measured_every", {"measured_every": 0}),
        ("measured_every", {"measured_every": 30}),
        ("steps", {"steps": 0}),
    ],
    ("selection_language",): [
        *SEED,
        ("corpus", {"corpus": "books"}),
        ("setting.news", {"corpus": "news"}),
        ("method", {"method": "nearest"}),
        ("optimiser", {"optimiser": "rmsprop"}),
        ("embedding", {"embedding": "bert"}),
        ("corruption", {"corruption": "label noise"}),
        ("share", {"share": 0.5}),
        ("epochs", {"epochs": 0.0}),
        ("rate", {"rate": -1.0}),
        ("model.layers", {"model.layers": 0}),
        ("model.layers", {"model.layers": 10**12}),
        ("model.vocabulary", {"model.vocabulary": 512}),
        ("model.context", {"setting.context": 192}),
        ("setting.packages", {"setting.packages": ("numpy", "pandas")}),
        ("setting.packages", {"setting.packages": ()}),
        ("setting.vocabulary", {"setting.vocabulary": 100}),
        ("setting.context", {"setting.context": 64}),
        ("setting.batch", {"setting.batch": 0}),
        ("setting.held_out", {"setting.held_out": 1.0}),
    ],
    ("width_scaling",): [*ARCHITECTURE, *PLAIN, *SEED, ("num_points", {"num_points": 0}), ("steps", {"steps": 0})],
}


def base(name, kind=None):
    """The first run of a study's quick preset, or the first with an architecture of that kind."""
    runs = STUDIES[name].plan(STUDIES[name].presets["quick"])
    if kind is None:
        return runs[0]
    return next(run for run in runs if run.architecture and run.architecture.kind == kind)


CASES = [(where, field, changes) for where, cases in IMPOSSIBLE.items() for field, changes in cases]
CASES += [(("slowdown", "transformer"), field, changes) for field, changes in TRANSFORMER]
CASES += [(("safe_step", "residual"), field, changes) for field, changes in ARCHITECTURE]


def test_every_study_is_here():
    assert {where[0] for where in IMPOSSIBLE} == set(STUDIES)


@pytest.mark.parametrize(("where", "field", "changes"), CASES, ids=lambda value: str(value).replace("'", ""))
def test_an_impossible_field_is_named_first_with_what_it_must_be_and_was(where, field, changes):
    run = base(*where)
    STUDIES[where[0]].require(run)
    with pytest.raises(ValueError, match=r"^[a-z_.]+ must [^\n]*, but (it )?(was|had) ") as refused:
        STUDIES[where[0]].require(changed(run, changes))
    assert str(refused.value).split(" ")[0] == field, refused.value


def can_be_measured(study, run):
    try:
        (measured,) = list(study.measure([run]))
    except (ValueError, KeyError, IndexError, ZeroDivisionError):
        return False
    arrays = measured[1].arrays.values()
    return all(array.size for array in arrays)


def passes(study, run):
    try:
        study.require(run)
    except ValueError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:Mean of empty", "ignore:invalid value")
@given(
    st.sampled_from([*separation_law.DESIGNS, "uniform"]),
    st.integers(-1, 6),
    st.integers(-1, 3),
    st.sampled_from([-1, 0, 3]),
)
def test_separation_law_refuses_what_it_cannot_measure_and_nothing_else(design, num_points, replicates, seed):
    run = SeparationRun(design, num_points, replicates, seed)
    assert passes(separation_law.STUDY, run) == can_be_measured(separation_law.STUDY, run)


@given(
    st.sampled_from([name for name in greedy_designs.DESIGNS if "32,768" not in name] + ["greedy"]),
    st.integers(0, 4),
    st.lists(st.integers(0, 30) | st.sampled_from([8, 9, 16, 25, 27]), max_size=2),
    st.sampled_from([-1, 0, 3]),
)
def test_greedy_designs_refuses_what_it_cannot_measure_and_nothing_else(design, dim, sizes, seed):
    run = greedy_designs.DesignRun(design, dim, tuple(sizes), 1, seed)
    measurable = can_be_measured(greedy_designs.STUDY, run)
    # Independent points exist in any dimension, but the study compares designs where all of them do.
    assert passes(greedy_designs.STUDY, run) == (measurable and dim in greedy_designs.SIDES)


@given(st.integers(2, 9), st.integers(1, 3), st.integers(2, 9), st.floats(-0.1, 1.6), st.integers(0, 3))
def test_a_collapse_is_refused_exactly_where_the_points_cannot_be_made(num_points, dim, cluster_size, h, seed):
    run = SeparationRun("", num_points, 1, seed)  # any run with num_points and a seed
    try:
        requirements.collapse("h", h, run, Cube(dim), cluster_size=cluster_size)
    except ValueError:
        refused = True
    else:
        refused = False
    try:
        construct("cluster_collapse", num_points, Cube(dim), h=h, cluster_size=cluster_size, seed=seed)
    except ValueError:
        assert refused
    else:
        assert not refused
