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

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from experiments.corpus.sources import versions
from experiments.language_model import LanguageModel
from experiments.minibatch import evaluate
from experiments.selection.text_vectors import text_vectors
from experiments.separation import separation
from experiments.studies import selection_language_findings
from experiments.studies.selection_language_data import (
    choice_margin,
    choose,
    close_pairs,
    geometry,
    projection,
    split,
    texts,
    tokens_of,
)
from experiments.studies.selection_language_training import fine_tuned, mean_hidden, pretrained
from experiments.study import Measured, Study

_SAMPLE_STREAM, _BATCH_STREAM = 35, 36


@dataclass(frozen=True)
class Setting:
    """What all runs of a preset share.

    packages: whose sources are mined.  news: whether news are read.  held_out: share of the pairs kept from the pool.
    sample: rows on which the own, the pool's and (twice as many) the held-out loss are measured on the way.
    """

    packages: tuple[str, ...]
    news: bool
    vocabulary: int
    context: int
    batch: int
    evaluations: int
    pretraining_steps: int
    held_out: float
    sample: int
    vector_dimension: int


@dataclass(frozen=True)
class LanguageRun:
    """One fine-tuning. corpus: "docstrings" or "news".  method: of `selection_language_data.choose`.

    optimiser: "adam" on cross-entropy or "sgd", plain, on the l2-loss.  embedding: "tfidf" or "hidden".  share: of the
    pool that is spoilt.  epochs: steps of every method, in epochs of the whole pool.
    """

    corpus: str
    method: str
    optimiser: str
    size: str
    embedding: str
    corruption: str
    share: float
    epochs: float
    model: LanguageModel
    rate: float
    setting: Setting
    seed: int

    @property
    def label(self) -> str:
        parts = [self.size, self.optimiser, self.corpus, self.method]
        parts += [self.embedding] * (self.embedding != "tfidf")
        parts += [f"{self.corruption} {self.share:g}"] * (self.corruption != "none")
        return " ".join([*parts, f"seed {self.seed}"])


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


def measure(runs: Sequence[LanguageRun]) -> Iterator[tuple[LanguageRun, Measured]]:
    """The runs of one model and seed: pretrained once; a pool, its vectors and its tokens made once for all on it."""
    setting, model, seed = runs[0].setting, runs[0].model, runs[0].seed
    read = texts(
        setting.packages,
        setting.news,
        setting.vocabulary,
        setting.context,
        setting.pretraining_steps * setting.batch,
    )
    params = pretrained(model, read.general, steps=setting.pretraining_steps, batch=setting.batch, seed=seed)
    by_pool: dict[tuple[Any, ...], list[LanguageRun]] = {}
    for run in runs:
        by_pool.setdefault((run.corpus, run.corruption, run.share, run.embedding), []).append(run)
    for (corpus, corruption, share, embedding), group in by_pool.items():
        pairs = read.corpora[corpus]
        parts = split(pairs, round(setting.held_out * len(pairs)), corruption=corruption, share=share, seed=seed)
        pool, held_out = (tokens_of(read, part, setting.context) for part in (parts.pool, parts.held_out))
        written = [f"{pair.prompt}\n{pair.response}" for pair in parts.pool]
        start = time.perf_counter()
        vectors = (
            text_vectors(written, dim=setting.vector_dimension)
            if embedding == "tfidf"
            else mean_hidden(model, params, pool)
        )
        vector_seconds = time.perf_counter() - start
        pool_separation = 0.5 * separation(vectors).distance ** 2
        fixed = np.random.default_rng((_SAMPLE_STREAM, seed)).permutation(len(written))
        chosen = {}
        for run in group:
            if run.method not in chosen:
                start = time.perf_counter()
                rows = choose(run.method, vectors, pool.whole, seed=seed)
                chosen[run.method] = rows, time.perf_counter() - start
            rows, choice_seconds = chosen[run.method]
            own = pool.take(rows)
            samples = {
                "own": own.take(fixed[fixed < len(rows)][: setting.sample]),
                "pool": pool.take(fixed[: setting.sample]),
                "held_out": held_out.take(np.arange(min(2 * setting.sample, len(held_out.length)))),
            }
            curve = fine_tuned(
                model,
                params,
                own,
                samples,
                rule=run.optimiser,
                rate=run.rate,
                batch=setting.batch,
                steps=round(run.epochs * (len(written) // setting.batch)),
                evaluations=setting.evaluations,
                seed=_BATCH_STREAM + 1000 * seed,
            )
            at_end = evaluate(model, curve.params, held_out)
            scalars = {
                "pool_size": len(written),
                "subset_size": len(rows),
                "corpus_sha256": read.prints[corpus],
                "versions": versions(setting.packages),
                **geometry(vectors, rows)._asdict(),
                "pool_separation": pool_separation,
                "spoilt_share": float(parts.spoilt[rows].mean()),
                "vector_seconds": vector_seconds,
                "choice_seconds": choice_seconds,
                "mean_whole": float(own.whole.mean()),
                "mean_kept": float(own.length.mean()),
                **{f"end_{name}": value if np.isfinite(value) else None for name, value in at_end.items()},
                "diverged": bool(not np.all(np.isfinite(curve.losses))),
            }
            if run.method == "uniform":
                scalars["choice_margin"] = choice_margin(vectors, rows)
            if run.method == "random":
                scalars |= close_pairs(vectors, seed=seed)._asdict()
            arrays = {
                "at": curve.at,
                "losses": curve.losses,
                "batch_loss": curve.batch_loss,
                "seconds": curve.seconds,
                "inputs": curve.inputs,
                "tokens": curve.tokens,
                "chosen": rows,
                "whole": own.whole,
            }
            if run.method == "uniform":
                arrays["projection"] = projection(vectors).astype(np.float32)
            yield run, Measured(scalars, arrays, f"held-out cross-entropy {at_end['cross-entropy']:.3f}")


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
    measure=measure,
    find=selection_language_findings.find,
)
