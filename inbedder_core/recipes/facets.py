"""How well an encoder listens: V and T of every facet of labelled sets.

V is the V-measure of k-means and T the accuracy on mirrored triplets, both × 100, see `metrics`. A
facet's T is its mean over the other facets of its set; in a mean over facets each facet weighs the
same. So measured, on the first 500 texts of the development sets under the first instructions, the
seed checkpoint has V 40.0 and T 64.8 in float32; 39.9 and 64.8 were published.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inbedder_core.recipes.controls import Ask, Encode, own
from inbedder_core.recipes.metrics import (
    Scores,
    bootstrap_weights,
    triplet_accuracy,
    v_measure,
)
from inbedder_core.recipes.suites import LabelledSet, read_sets
from inbedder_core.schema import FloatArray

LIMIT = 500


@dataclass(frozen=True, eq=False, slots=True)
class FacetScore:
    """What one instruction finds of the facet that it asks for.

    Attributes:
        set_name: The set.
        facet: The facet.
        instruction: The instruction.
        v: (1 + samples,) V-measure × 100, first on the texts, then on bootstrap samples of them.
        t: (1 + samples,) mirrored-triplet accuracy × 100, the mean over the other facets of the
            set; NaN if there is none.
    """

    set_name: str
    facet: str
    instruction: str
    v: Scores
    t: Scores


@dataclass(frozen=True, eq=False, slots=True)
class FacetReport:
    """The scores of several facets and their means.

    Attributes:
        scores: One per facet and instruction.
    """

    scores: tuple[FacetScore, ...]

    @property
    def v(self) -> Scores:
        """(1 + samples,) mean V-measure × 100 over the facets."""
        return _mean([_mean([score.v for score in own]) for own in self._by_facet()])

    @property
    def t(self) -> Scores:
        """(1 + samples,) mean mirrored-triplet accuracy × 100 over the facets."""
        return _mean([_mean([score.t for score in own]) for own in self._by_facet()])

    def of_set(self, name: str) -> "FacetReport":
        """The scores of one set."""
        return FacetReport(tuple(score for score in self.scores if score.set_name == name))

    def _by_facet(self) -> list[list[FacetScore]]:
        by_facet: dict[tuple[str, str], list[FacetScore]] = {}
        for score in self.scores:
            by_facet.setdefault((score.set_name, score.facet), []).append(score)
        return list(by_facet.values())


def facets(
    encode: Encode,
    folder: str | Path,
    limit: int | None = LIMIT,
    first_only: bool = True,
    *,
    samples: int = 0,
) -> FacetReport:
    """V and T of an encoder on every set and facet of a folder.

    Args:
        encode: Embeds n texts under one instruction.
        folder: See `read_sets`.
        limit: Only so many texts from the beginning of each set; None takes all.
        first_only: Only the first instruction of each facet.
        samples: Bootstrap samples of the texts, for intervals.

    Returns:
        ``report.v[0]`` and ``report.t[0]`` are the means over facets.

    Raises:
        InputError: The folder can't be read.
    """
    return score_sets(encode, read_sets(folder, limit), first_only, samples=samples)


def score_sets(
    encode: Encode,
    sets: Sequence[LabelledSet],
    first_only: bool = True,
    *,
    ask: Ask = own,
    samples: int = 0,
) -> FacetReport:
    """Like `facets`, on sets that have been read; ``ask`` may ask something else of a facet."""
    scores = []
    for one in sets:
        weights = bootstrap_weights(len(one.texts), samples)
        for facet, instructions in one.instructions.items():
            chosen = instructions[:1] if first_only else instructions
            asked = dict.fromkeys(ask(one, facet, instruction) for instruction in chosen)
            for instruction in asked:
                if instruction is not None:
                    v, t = _score(encode(one.texts, instruction), one, facet, weights)
                    scores.append(FacetScore(one.name, facet, instruction, v, t))
    return FacetReport(tuple(scores))


def cross_scores(
    encode: Encode, one: LabelledSet, first_only: bool = True
) -> tuple[FloatArray, list[str], list[str]]:
    """V of every facet of a set under every instruction of the set.

    Returns:
        (facets, instructions) V-measures × 100, the instructions, and the facet of each.
    """
    asked = [
        (instruction, facet)
        for facet, own_instructions in one.instructions.items()
        for instruction in own_instructions[: 1 if first_only else None]
    ]
    scores = np.full((len(one.instructions), len(asked)), np.nan, dtype=np.float32)
    for column, (instruction, _) in enumerate(asked):
        embeddings = encode(one.texts, instruction)
        for row, facet in enumerate(one.instructions):
            scores[row, column] = v_measure(*_labelled(embeddings, one.labels[facet]))[0]
    return scores, [instruction for instruction, _ in asked], [facet for _, facet in asked]


def _score(
    embeddings: FloatArray, one: LabelledSet, facet: str, weights: Scores
) -> tuple[Scores, Scores]:
    """V and T of a set's (n, d) embeddings, of the texts that have a label."""
    labels = {name: np.array(given, dtype=str) for name, given in one.labels.items()}
    has = labels[facet] != ""
    v = v_measure(*_labelled(embeddings, one.labels[facet]), weights=weights[:, has])
    ts = []
    for other in labels:
        if other != facet:
            both = has & (labels[other] != "")
            pair = labels[facet][both].tolist(), labels[other][both].tolist()
            ts.append(triplet_accuracy(embeddings[both], *pair, weights=weights[:, both]))
    return v, _mean(ts)


def _labelled(embeddings: FloatArray, labels: Sequence[str]) -> tuple[FloatArray, list[str]]:
    has = np.array(labels, dtype=str) != ""
    return embeddings[has], [label for label in labels if label]


def _mean(scores: Sequence[Scores]) -> Scores:
    """The mean of scores (1 + samples,) that are not NaN on the texts themselves."""
    known = [score for score in scores if np.isfinite(score[0])]
    if known:
        return np.asarray(np.mean(known, axis=0))
    return np.full_like(scores[0], np.nan) if scores else np.full(1, np.nan)
