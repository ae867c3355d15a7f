"""Groups of texts: how many, which, and what the model's answers call them."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inbedder_core.errors import InputError
from inbedder_core.schema import Answer, FloatArray, IntArray

MOST_GROUPS = 50
FEW_GROUPS = 5  # may be found however few the texts; more only up to the square root of n
SAMPLE = 1_000
# With the seed checkpoint, over the samples, own texts and 22 facets of other data sets, V-measure
# rose with this weight (0.75, 0.78, 0.40 against 0.75, 0.68, 0.38 without) and fell with larger.
ANSWER_WEIGHT = 0.25
NEGLIGIBLE = 1e-9  # an answer this improbable names nothing, and its rarity might overflow


def cluster(
    vectors: FloatArray,
    n_groups: int | None = None,
    *,
    answers: Sequence[Sequence[Answer]] = (),
    max_groups: int = 10,
    seed: int = 42,
) -> tuple[IntArray, float | None]:
    """Divides texts into groups: k-means on unit vectors, started from Ward's hierarchy.

    Starting from the hierarchy gave tighter groups on real embeddings than ten random starts, in
    a fifth of the time. The order of the texts does not matter.

    Args:
        vectors: (n, d) unit rows.
        n_groups: How many groups, 1 to 50; None takes the number with the largest mean silhouette,
            plus, if there are answers, a quarter of the adjusted mutual information (Vinh, Epps
            and Bailey 2010) of the groups and the top answers. There are never more groups than
            distinct rows, nor fewer than two unless all rows are the same or one group was asked
            for.
        answers: For every text its answers, as in `Encoding.answers`.
        max_groups: The most groups that None may choose; few texts have fewer, at most the
            square root of n or 5, whichever is larger.
        seed: Seed of the sample from which the hierarchy of a large collection is made.

    Returns:
        (n,) int32 labels from 0, the largest group first and the one with the earliest text first
        among equals; and the mean cosine silhouette in [-1, 1] (Rousseeuw 1987), None with fewer
        than two groups.

    Raises:
        InputError: n_groups is out of range.
    """
    if n_groups is not None and not 1 <= n_groups <= MOST_GROUPS:
        raise InputError(
            f"The number of groups is {n_groups}; choose 1 to {MOST_GROUPS}, or leave it open."
        )
    rows, inverse, counts = np.unique(vectors, axis=0, return_inverse=True, return_counts=True)
    if len(rows) < 2 or n_groups == 1:
        return np.zeros(len(vectors), np.int32), None
    sizes = [n_groups] if n_groups else _candidates(len(vectors), max_groups)
    sizes = sorted({min(size, len(rows)) for size in sizes})
    divisions = _divisions(rows, counts, sizes, seed)
    silhouettes = [_silhouette(rows, counts, labels) for labels in divisions]
    told = [_told(answers, labels[inverse]) for labels in divisions] if answers else 0
    best = int(np.argmax(np.add(silhouettes, told)))  # the fewest groups among equals
    return _largest_first(divisions[best][inverse]), silhouettes[best]


def name_groups(
    labels: IntArray, answers: Sequence[Sequence[Answer]], *, words: int = 1
) -> tuple[str, ...]:
    """Names every group by the answers that are most its own.

    A word counts with its mean probability in the group, times log(1 + A / f) for its sum f over
    all groups and the mean total A of a group: class-based TF-IDF (Grootendorst 2022, BERTopic)
    with probabilities for counts and groups of equal weight. Case is ignored.

    Args:
        labels: (n,) groups from 0.
        answers: For every text its answers, as in `Encoding.answers`.
        words: How many words make a name.

    Returns:
        One name per group, all different: groups that would share a name get one more word each
        ("love, like"), or at last a number ("love 2"). A group without answers is "group 3".
    """
    ranked = _characteristic_words(labels, answers)
    names = [", ".join(own[:words]) for own in ranked]
    shared = Counter(names)
    names = [
        ", ".join(own[: words + (shared[name] > 1)]) or f"group {group}"
        for group, (own, name) in enumerate(zip(ranked, names, strict=True), start=1)
    ]
    return _numbered(names)


def label_match(labels: IntArray, facet_labels: Sequence[str]) -> float:
    """How well groups and given labels agree: V-measure (Rosenberg and Hirschberg 2007).

    Args:
        labels: (n,) groups.
        facet_labels: n labels; texts whose label is empty are left out.

    Returns:
        In [0, 1]; 0 when no text has a label.
    """
    from sklearn.metrics import v_measure_score

    given = np.array(facet_labels, dtype=str)
    labelled = given != ""
    return float(v_measure_score(given[labelled], labels[labelled])) if labelled.any() else 0.0


def _candidates(n: int, max_groups: int) -> range:
    # Silhouette likes many tiny groups. As many groups as texts say nothing at all.
    most = min(max_groups, max(FEW_GROUPS, math.isqrt(n)), n - 1)
    return range(2, max(most, 2) + 1)


def _divisions(
    rows: FloatArray, counts: NDArray[np.int64], sizes: Sequence[int], seed: int
) -> list[NDArray[np.int64]]:
    """The rows divided into each number of groups, every row weighing as many as its copies."""
    from sklearn.cluster import KMeans

    chosen = np.arange(len(rows))
    if len(rows) > SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, SAMPLE, replace=False))
    sample = rows[chosen]
    divisions = []
    for size, cut in zip(sizes, _cuts(sample, sizes), strict=True):
        centres = np.stack([sample[cut == group].mean(axis=0) for group in range(size)])
        means = KMeans(size, init=centres, n_init=1).fit(rows, sample_weight=counts)
        divisions.append(means.labels_ if size < len(rows) else np.arange(size))
    return divisions


def _cuts(rows: FloatArray, sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Ward's hierarchy of the rows, cut where it has each number of groups.

    SciPy's `cut_tree` gives too few groups for some ascending sizes.
    """
    from scipy.cluster.hierarchy import ward
    from scipy.spatial.distance import pdist

    n = len(rows)
    labels, cuts = np.arange(n), {n: np.arange(n)}
    for merged, (a, b) in enumerate(ward(pdist(rows))[:, :2], start=n):
        labels[(labels == a) | (labels == b)] = merged
        cuts[2 * n - 1 - merged] = np.unique(labels, return_inverse=True)[1]
    return [cuts[size] for size in sizes]


def _told(answers: Sequence[Sequence[Answer]], labels: NDArray[np.int64]) -> float:
    """What the groups have in common with the texts' top answers, weighted, beyond chance."""
    from sklearn.metrics import adjusted_mutual_info_score

    top = [own[0].text.casefold() if own else "" for own in answers]
    return ANSWER_WEIGHT * float(adjusted_mutual_info_score(top, labels))


def _silhouette(rows: FloatArray, counts: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The mean silhouette on cosine distance, exactly and without an n x n matrix.

    The mean distance of a unit row to a group is 1 minus its dot product with the group's mean.
    """
    member = np.eye(labels.max() + 1)[labels] * counts[:, None]  # (n, groups)
    sizes = member.sum(axis=0)
    distances = 1 - rows @ (member.T @ rows / sizes[:, None]).T  # (n, groups)
    own = np.arange(len(rows)), labels
    size = sizes[labels]
    to_itself = 1 - np.square(rows).sum(axis=1)
    within = np.maximum(distances[own] * size - to_itself, 0) / np.maximum(size - 1, 1)
    distances[own] = np.inf
    nearest = distances.min(axis=1)
    scale = np.maximum(within, nearest)
    alone = (size == 1) | (scale <= 0)
    scores = np.where(alone, 0, (nearest - within) / np.where(alone, 1, scale))
    return float(np.average(scores, weights=counts))


def _largest_first(labels: NDArray[np.int64]) -> IntArray:
    _, first, groups, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.argsort(np.lexsort((first, -sizes)))
    return rank[groups].astype(np.int32)


def _characteristic_words(labels: IntArray, answers: Sequence[Sequence[Answer]]) -> list[list[str]]:
    """The answers of every group, the most characteristic first."""
    shares, spellings = _shares(labels, answers)
    totals: defaultdict[str, float] = defaultdict(float)
    for own in shares:
        for word, share in own.items():
            totals[word] += share
    average = sum(totals.values()) / max(len(shares), 1)
    ranked = []
    for own in shares:
        scores = {word: share * np.log1p(average / totals[word]) for word, share in own.items()}
        ranked.append([spellings[word] for word in sorted(scores, key=lambda w: (-scores[w], w))])
    return ranked


def _shares(
    labels: IntArray, answers: Sequence[Sequence[Answer]]
) -> tuple[list[defaultdict[str, float]], dict[str, str]]:
    """For every group the mean probability of its words, casefolded; and the usual spellings."""
    sizes = np.bincount(labels)
    shares: list[defaultdict[str, float]] = [defaultdict(float) for _ in sizes]
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for group, own in zip(labels.tolist(), answers, strict=True):
        for text, probability in own:
            word = text.strip()
            if word and probability > NEGLIGIBLE:
                shares[group][word.casefold()] += probability / sizes[group]
                spellings[word.casefold()][word] += 1
    return shares, {word: seen.most_common(1)[0][0] for word, seen in spellings.items()}


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with a number after each that has been used before."""
    unique: list[str] = []
    for name in names:
        number, numbered = 1, name
        while numbered in unique or (number > 1 and numbered in names):
            number += 1
            numbered = f"{name} {number}"
        unique.append(numbered)
    return tuple(unique)
