"""X11b: does fine-tuning a language model on the half of the pool that is chosen for pairwise distance pay?

Question. Does a small transformer language model, fine-tuned on pairs of docstring summary and function body, reach a
loss sooner on the half of the pool chosen farthest-first than on a random half or on the whole pool, and does it
predict held-out pairs better?
Varied. The half of the pool that is trained on; all runs of a seed share the pretrained model, the pool, the held-out
pairs, the batch size, the learning rate and the number of steps.
Control. A random half (what a smaller subset does: D3), a random half with the lengths of the uniform one (tokens), the
whole pool at the same steps (epoch boundaries), half random half nearest, and the nearest rows; other vectors, a pool
with duplicates, noise or outliers, and other texts.
Falsified by. A uniform half that needs more steps than a random one to the same loss, on its own rows or held-out.
"""

from dataclasses import dataclass
from typing import NamedTuple

from experiments.language_model import LanguageModel
from experiments.studies.selection_language_findings import find
from experiments.studies.selection_language_run import LanguageRun, Setting, measure, require
from experiments.study import Study


class Arm(NamedTuple):
    """Runs of one kind: the methods to compare in one situation."""

    methods: tuple[str, ...]
    optimiser: str = "adam"
    size: str = "small"
    corpus: str = "docstrings"
    embedding: str = "tfidf"
    corruption: str = "none"
    share: float = 0.0
    epochs: float = 1.0


@dataclass(frozen=True)
class Preset:
    """models: by size.  rates: by size and optimiser, the same for every method (see RATES)."""

    setting: Setting
    models: dict[str, LanguageModel]
    rates: dict[str, dict[str, float]]
    arms: tuple[Arm, ...]
    seeds: int


_PACKAGES = ("numpy", "scipy", "matplotlib", "jax", "optax", "sklearn")
_SMALL, _LARGE = LanguageModel(1024, 96, 48, 2, 2), LanguageModel(1024, 96, 112, 4, 2)
RATES = {"small": {"adam": 4e-3, "sgd": 8.0}, "large": {"adam": 2e-3, "sgd": 2.0}}
"""Chosen once for each size and optimiser, not for each method: half the rate with the least held-out loss after 30
steps on a random half of another seed, of a ladder by factors of 2 (adam) or 4 (sgd)."""

_TWO = ("uniform", "random")
_THREE = (*_TWO, "full")
_MAIN = (*_THREE, "matched", "half-random-half-min-dist")

PRESETS = {
    "smoke": Preset(
        Setting(("optax",), False, 300, 24, 8, 4, 4, 0.2, 16, 16),
        {"small": LanguageModel(300, 24, 16, 1, 1)},
        {"small": {"adam": 3e-3, "sgd": 1.0}},
        (Arm((*_MAIN, "min-dist")), Arm(_THREE, "sgd"), Arm(("uniform",), embedding="hidden")),
        seeds=2,
    ),
    "quick": Preset(
        Setting(_PACKAGES, False, 1024, 96, 32, 7, 60, 1 / 7, 64, 128),
        {"small": _SMALL},
        RATES,
        (Arm(_THREE, epochs=0.6), Arm(_THREE, "sgd", epochs=0.6)),
        seeds=1,
    ),
    "paper": Preset(
        Setting(_PACKAGES, True, 1024, 96, 32, 10, 200, 1 / 7, 64, 128),
        {"small": _SMALL, "large": _LARGE},
        RATES,
        (
            Arm((*_MAIN, "min-dist")),
            Arm(_THREE, "sgd"),
            Arm(_THREE, size="large"),
            Arm(_THREE, "sgd", size="large"),
            Arm(("uniform",), embedding="hidden"),
            Arm(_TWO, corruption="duplicates", share=0.3, epochs=0.5),
            Arm(_TWO, corruption="noise", share=0.3, epochs=0.5),
            Arm(_TWO, corruption="outliers", share=0.1, epochs=0.5),
            Arm(_THREE, corpus="news", epochs=2.0),
        ),
        seeds=3,
    ),
}


def plan(preset: Preset) -> list[LanguageRun]:
    return [
        LanguageRun(
            arm.corpus,
            method,
            arm.optimiser,
            arm.size,
            arm.embedding,
            arm.corruption,
            arm.share,
            arm.epochs,
            preset.models[arm.size],
            preset.rates[arm.size][arm.optimiser],
            preset.setting,
            seed,
        )
        for arm in preset.arms
        for seed in range(preset.seeds)
        for method in arm.methods
    ]


STUDY = Study(
    name="selection_language",
    code="X11b",
    title="Fine-tuning a language model on half of its pairs, chosen for distance or not",
    question="Does the half of the pool chosen farthest-first train a language model sooner, or better on held-out "
    "pairs, than a random half, a half-random half-nearest one, or the whole pool?",
    varied="the half of the pool that is trained on",
    control="random halves, also with the uniform half's lengths; the whole pool at the same steps; nearest rows; "
    "other vectors, spoilt pools, other texts",
    falsified_by="a uniform half that needs more steps than a random one to the same loss",
    claims=("D1", "D3"),
    schema=1,
    presets=PRESETS,
    plan=plan,
    batch=lambda run: (run.model, run.setting, run.seed),
    require=require,
    measure=measure,
    find=find,
)
