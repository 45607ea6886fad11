"""One run of the language study: what is fine-tuned on which half of which pool, and all that is measured of it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.blocks import require_known
from experiments.corpus.byte_pairs import FIRST_MERGE
from experiments.corpus.sources import DISTRIBUTIONS, versions
from experiments.language_model import LanguageModel, Params
from experiments.minibatch import evaluate
from experiments.selection.text_vectors import text_vectors
from experiments.separation import separation
from experiments.studies import requirements
from experiments.studies.selection_language_data import (
    CORRUPTIONS,
    Texts,
    choice_margin,
    choose,
    close_pairs,
    geometry,
    projection,
    split,
    texts,
    tokens_of,
)
from experiments.studies.selection_language_training import OBJECTIVES, Curve, fine_tuned, mean_hidden, pretrained
from experiments.study import Measured
from experiments.subsets import RULES
from experiments.token_pairs import CONTEXT_UNIT, TokenPairs
from theory.require import positive

_CORPORA = ("docstrings", "news")
_METHODS = (*RULES, "matched")
_EMBEDDINGS = ("tfidf", "hidden")
_CORRUPTIONS = ("none", *CORRUPTIONS)
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


def require(run: LanguageRun) -> None:
    """Raise ValueError for a run that cannot be, as far as that is known before the texts are read."""
    model, setting = run.model, run.setting
    require_known("corpus", run.corpus, _CORPORA)
    if run.corpus == "news" and not setting.news:
        raise ValueError("setting.news must be true for corpus news, but was false")
    require_known("method", run.method, _METHODS)
    require_known("optimiser", run.optimiser, OBJECTIVES)
    require_known("embedding", run.embedding, _EMBEDDINGS)
    require_known("corruption", run.corruption, _CORRUPTIONS)
    if not 0 <= run.share < 1 or (run.corruption == "none" and run.share):
        raise ValueError(f"share must lie in [0, 1), and be 0 for corruption none, but was {run.share:g}")
    positive(epochs=run.epochs, rate=run.rate)
    for name in ("vocabulary", "context", "width", "heads"):
        requirements.size(f"model.{name}", getattr(model, name), least=1)
    requirements.size("model.layers", model.layers, least=1, most=requirements.LAYERS)
    for name in ("vocabulary", "context"):
        if getattr(model, name) < getattr(setting, name):
            raise ValueError(
                f"model.{name} must be at least the setting's {getattr(setting, name)}, but was {getattr(model, name)}"
            )
    for package in setting.packages or ("",):
        require_known("setting.packages", package, DISTRIBUTIONS)
    requirements.size("setting.vocabulary", setting.vocabulary, least=FIRST_MERGE)
    if setting.context < 1 or setting.context % CONTEXT_UNIT:
        raise ValueError(f"setting.context must be a multiple of {CONTEXT_UNIT}, but was {setting.context}")
    requirements.size("setting.pretraining_steps", setting.pretraining_steps, least=0)
    for name in ("batch", "evaluations", "sample", "vector_dimension"):
        requirements.size(f"setting.{name}", getattr(setting, name), least=1)
    if not 0 < setting.held_out < 1:
        raise ValueError(f"setting.held_out must be a share between 0 and 1, but was {setting.held_out}")
    requirements.seed(run)


class Pool(NamedTuple):
    """A pool as its runs share it.  vectors: of length 1.  separation: least cosine distance.  order: of the samples.

    seconds: what the vectors took.
    """

    pairs: TokenPairs
    held_out: TokenPairs
    spoilt: Bool[np.ndarray, " n"]
    vectors: Float[np.ndarray, "n d"]
    seconds: float
    separation: float
    order: Int[np.ndarray, " n"]


def prepared(run: LanguageRun, read: Texts, params: Params) -> Pool:
    """The pool of a run. params: of the pretrained model, whose hidden states may be the vectors."""
    setting, pairs = run.setting, read.corpora[run.corpus]
    parts = split(
        pairs, round(setting.held_out * len(pairs)), corruption=run.corruption, share=run.share, seed=run.seed
    )
    pool, held_out = (tokens_of(read, part, setting.context) for part in (parts.pool, parts.held_out))
    start = time.perf_counter()
    if run.embedding == "hidden":
        vectors = mean_hidden(run.model, params, pool)
    else:
        written = [f"{pair.prompt}\n{pair.response}" for pair in parts.pool]
        vectors = text_vectors(written, dim=setting.vector_dimension)
    seconds = time.perf_counter() - start
    order = np.random.default_rng((_SAMPLE_STREAM, run.seed)).permutation(len(vectors))
    return Pool(pool, held_out, parts.spoilt, vectors, seconds, 0.5 * separation(vectors).distance ** 2, order)


def trained(run: LanguageRun, pool: Pool, rows: Int[np.ndarray, " k"], params: Params) -> Curve:
    """Fine-tuning on the chosen rows, for as many steps as `run.epochs` of the whole pool have."""
    setting, own = run.setting, pool.pairs.take(rows)
    samples = {
        "own": own.take(pool.order[pool.order < len(rows)][: setting.sample]),
        "pool": pool.pairs.take(pool.order[: setting.sample]),
        "held_out": pool.held_out.take(np.arange(min(2 * setting.sample, len(pool.held_out.length)))),
    }
    return fine_tuned(
        run.model,
        params,
        own,
        samples,
        rule=run.optimiser,
        rate=run.rate,
        batch=setting.batch,
        steps=round(run.epochs * (len(pool.vectors) // setting.batch)),
        evaluations=setting.evaluations,
        seed=_BATCH_STREAM + 1000 * run.seed,
    )


def described(run: LanguageRun, pool: Pool, rows: Int[np.ndarray, " k"]) -> dict[str, Any]:
    """The subset's size, geometry (cosine distances) and lengths, and what only its method is asked."""
    own = pool.pairs.take(rows)
    found = {
        "pool_size": len(pool.vectors),
        "subset_size": len(rows),
        **geometry(pool.vectors, rows)._asdict(),
        "pool_separation": pool.separation,
        "spoilt_share": float(pool.spoilt[rows].mean()),
        "mean_whole": float(own.whole.mean()),
        "mean_kept": float(own.length.mean()),
    }
    if run.method == "uniform":
        found["choice_margin"] = choice_margin(pool.vectors, rows)
    if run.method == "random":
        found |= close_pairs(pool.vectors, seed=run.seed)._asdict()
    return found


def measure(runs: Sequence[LanguageRun]) -> Iterator[tuple[LanguageRun, Measured]]:
    """The runs of one model and seed: pretrained once; a pool, its vectors and its tokens made once for all on it."""
    setting, model, seed = runs[0].setting, runs[0].model, runs[0].seed
    rows_read = setting.pretraining_steps * setting.batch
    read = texts(setting.packages, setting.news, setting.vocabulary, setting.context, rows_read)
    params = pretrained(model, read.general, steps=setting.pretraining_steps, batch=setting.batch, seed=seed)
    by_pool: dict[tuple[Any, ...], list[LanguageRun]] = {}
    for run in runs:
        by_pool.setdefault((run.corpus, run.corruption, run.share, run.embedding), []).append(run)
    for group in by_pool.values():
        pool = prepared(group[0], read, params)
        chosen: dict[str, tuple[np.ndarray, float]] = {}
        for run in group:
            if run.method not in chosen:
                start = time.perf_counter()
                rows = choose(run.method, pool.vectors, pool.pairs.whole, seed=seed)
                chosen[run.method] = rows, time.perf_counter() - start
            rows, choice_seconds = chosen[run.method]
            curve = trained(run, pool, rows, params)
            at_end = evaluate(model, curve.params, pool.held_out)
            scalars = {
                "corpus_sha256": read.prints[run.corpus],
                "versions": versions(setting.packages),
                "vector_seconds": pool.seconds,
                "choice_seconds": choice_seconds,
                **described(run, pool, rows),
                **{f"end_{name}": value if np.isfinite(value) else None for name, value in at_end.items()},
                "diverged": bool(not np.all(np.isfinite(curve.losses))),
            }
            arrays = {name: getattr(curve, name) for name in Curve._fields if name != "params"}
            arrays |= {"chosen": rows, "whole": pool.pairs.whole[rows]}
            if run.method == "uniform":
                arrays["projection"] = projection(pool.vectors).astype(np.float32)
            yield run, Measured(scalars, arrays, f"held-out cross-entropy {at_end['cross-entropy']:.3f}")
