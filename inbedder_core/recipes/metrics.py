"""What embeddings are worth against labels: groups, mirrored triplets and ranks, with intervals.

Scores are percentages. A score of n texts is computed for b weightings of the texts at once: all
ones give the score itself, and the counts of a bootstrap's draws give its spread.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inbedder_core.schema import FloatArray
from inbedder_core.similarity import unit_vectors

Scores = NDArray[np.float64]
# k-means runs of one seed, the tightest of which counts. The protocol does not say how many; with
# four, the seed checkpoint has the V-measure that was published for it.
N_INIT = 4
N_SEEDS = 5
PAPER_BATCH = 500  # the mini-batch of the paper's k-means
Z95 = 1.96  # half-width of a normal 95 % interval, in standard errors


def v_measure(
    embeddings: FloatArray,
    labels: Sequence[str],
    n_seeds: int = N_SEEDS,
    *,
    weights: Scores | None = None,
) -> Scores:
    """How well k-means finds the labels: V-measure × 100 (Rosenberg and Hirschberg 2007).

    The groups are found once, on all texts as they are, with as many groups as there are labels;
    the weights only count in their comparison with the labels.

    Args:
        embeddings: (n, d); they are centred on the set and scaled to unit length.
        labels: n labels.
        n_seeds: k-means runs from the seeds 0, 1, …; the scores are their mean.
        weights: (b, n) not negative; by default one row of ones.

    Returns:
        (b,) scores in [0, 100]; NaN where there is only one label, or none.
    """
    from sklearn.cluster import KMeans

    weights = np.ones((1, len(embeddings))) if weights is None else weights
    names, given = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        return np.full(len(weights), np.nan)
    vectors = unit_vectors(embeddings, centered=True)
    scores = np.zeros(len(weights))
    for seed in range(n_seeds):
        found = KMeans(len(names), n_init=N_INIT, random_state=seed).fit_predict(vectors)
        scores += _v_measures(given, found, weights)
    return scores / n_seeds


def triplet_accuracy(
    embeddings: FloatArray,
    labels: Sequence[str],
    other_labels: Sequence[str],
    *,
    weights: Scores | None = None,
) -> Scores:
    """How often a text is nearer to one that shares its label than to one of its other label.

    All mirrored triplets count: the positive shares the anchor's label but not its other label,
    the negative its other label but not its label. Every anchor with a triplet has the same
    weight, and a tie is half right. What ignores the instruction has about 50 in the mean of
    both directions.

    Args:
        embeddings: (n, d); they are centred on the set and scaled to unit length.
        labels: n labels of the facet that was asked for.
        other_labels: n labels of another facet.
        weights: (b, n) not negative; by default one row of ones.

    Returns:
        (b,) scores in [0, 100]; NaN where the labels allow no triplet.
    """
    vectors = unit_vectors(embeddings, centered=True)
    weights = np.ones((1, len(vectors))) if weights is None else weights
    _, one = np.unique(np.asarray(labels), return_inverse=True)
    _, two = np.unique(np.asarray(other_labels), return_inverse=True)
    right, anchors = np.zeros(len(weights)), np.zeros(len(weights))
    for anchor, vector in enumerate(vectors):
        like, alike = one == one[anchor], two == two[anchor]
        positive, negative = np.flatnonzero(like & ~alike), np.flatnonzero(alike & ~like)
        if not len(positive) or not len(negative):
            continue
        margin = (vectors[positive] @ vector)[:, None] - vectors[negative] @ vector  # (p, q)
        wins = (np.sign(margin) + 1) / 2
        w_positive, w_negative = weights[:, positive], weights[:, negative]  # (b, p), (b, q)
        won = ((w_positive @ wins) * w_negative).sum(axis=1)
        pairs = w_positive.sum(axis=1) * w_negative.sum(axis=1)
        counts = weights[:, anchor] * (pairs > 0)
        right += counts * won / np.where(pairs > 0, pairs, 1)
        anchors += counts
    nothing = np.full(len(weights), np.nan)
    return np.asarray(np.divide(100 * right, anchors, out=nothing, where=anchors > 0))


def paper_v_measure(embeddings: FloatArray, labels: Sequence[str]) -> float:
    """V-measure × 100 as in the paper: mini-batch k-means on the embeddings as they are.

    The paper's one run has no seed; this is the mean over five.

    Args:
        embeddings: (n, d).
        labels: n labels.
    """
    from sklearn.cluster import MiniBatchKMeans

    names, given = np.unique(np.asarray(labels), return_inverse=True)
    weights = np.ones((1, len(given)))
    scores = [
        _v_measures(
            given,
            MiniBatchKMeans(
                len(names), batch_size=PAPER_BATCH, n_init="auto", random_state=seed
            ).fit_predict(embeddings),
            weights,
        )[0]
        for seed in range(N_SEEDS)
    ]
    return float(np.mean(scores))


def success_rate(anchors: FloatArray, positives: FloatArray, negatives: FloatArray) -> float:
    """How often, × 100, an anchor's cosine to its positive is above that to its negative.

    Args:
        anchors: (n, d).
        positives: (n, d).
        negatives: (n, d).
    """
    unit = unit_vectors(anchors)
    margin = (unit * (unit_vectors(positives) - unit_vectors(negatives))).sum(axis=1)
    return float(100 * np.mean(margin > 0))


def spearman(first: FloatArray, second: FloatArray, scores: Sequence[float]) -> float:
    """Spearman's correlation × 100 of the cosines of n pairs with their scores; NaN if constant.

    Args:
        first: (n, d).
        second: (n, d).
        scores: n scores.
    """
    from scipy.stats import rankdata

    cosines = (unit_vectors(first) * unit_vectors(second)).sum(axis=1)
    one, two = rankdata(cosines), rankdata(scores)
    one, two = one - one.mean(), two - two.mean()
    scale = float(np.sqrt((one @ one) * (two @ two)))
    return 100 * float(one @ two) / scale if scale > 0 else float("nan")


def harmonic_mean(scores: Sequence[float]) -> float:
    """The harmonic mean: of one score the score itself; of several 0 if one is not above 0."""
    if len(scores) == 1:
        return scores[0]
    return len(scores) / sum(1 / score for score in scores) if min(scores) > 0 else 0.0


def bootstrap_weights(n: int, samples: int, seed: int = 0) -> Scores:
    """(1 + samples, n): all texts once, then how often each is drawn in resamples of n texts."""
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / max(n, 1)), size=samples)
    return np.vstack([np.ones((1, n)), draws])


def interval(scores: Scores) -> float:
    """Half the width of a 95 % interval around the first score: 1.96 standard errors.

    The standard error is that of the bootstrap. Its quantiles would lie too high, because copies
    of a text agree with each other.

    Args:
        scores: (1 + samples,) as from `bootstrap_weights`; 0 comes back without samples.
    """
    drawn = scores[1:][np.isfinite(scores[1:])]
    return float(Z95 * np.std(drawn, ddof=1)) if len(drawn) > 1 else 0.0


def _v_measures(
    given: NDArray[np.int64], found: NDArray[np.int64], weights: Scores
) -> NDArray[np.float64]:
    """(n,) labels, (n,) groups, (b, n) weights -> (b,) V-measures × 100."""
    cells = np.zeros((len(weights), given.max() + 1, found.max() + 1))
    for label, group in np.ndindex(cells.shape[1:]):
        cells[:, label, group] = weights[:, (given == label) & (found == group)].sum(axis=1)
    of_labels, of_groups = _entropy(cells.sum(axis=2)), _entropy(cells.sum(axis=1))
    shared = of_labels + of_groups - _entropy(cells.reshape(len(cells), -1))
    # 2hc / (h + c) of homogeneity h and completeness c comes down to this ratio.
    total = of_labels + of_groups
    ratio = np.divide(2 * shared, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(np.where(of_labels > 0, 100 * ratio, np.nan))


def _entropy(counts: Scores) -> Scores:
    """(b, k) counts -> (b,) entropies in nats."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logs).sum(axis=1))
