"""Cosine similarities: matrices, nearest neighbours, an order of the texts and its heatmap.

Everything but `unit_vectors` takes rows of unit length, as `unit_vectors` returns them; a row of
zeros is similar to nothing. Nothing here holds an n x n matrix of many texts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inbedder_core.schema import FloatArray, IntArray

BLOCK_ROWS = 512
EXACT_ORDER = 400  # optimal leaf ordering takes 0.2 s for 400 rows and 2 s for 800
CENTRES = 256
ROUNDS = 5
ROUNDING = 1e-6


def unit_vectors(embeddings: FloatArray, *, centered: bool = False) -> FloatArray:
    """Scales every row to unit length.

    Args:
        embeddings: (n, d) finite numbers.
        centered: Subtract the mean of the rows first, so that similarities are relative to the
            collection; a single row is left as it is.

    Returns:
        (n, d) float32. A row of zeros, or one that equals the mean, becomes zeros. Identical rows
        stay identical to the last bit.
    """
    rows = np.array(embeddings, dtype=np.float64, order="C")
    floor = 0.0
    if centered and len(rows) > 1:
        # What is left of a row that equals the mean is rounding error, not a direction.
        floor = ROUNDING * _lengths(rows).max()
        rows -= rows.mean(axis=0)
    lengths = _lengths(rows)
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > floor)
    return unit.astype(np.float32)


def cosine(vectors: FloatArray) -> FloatArray:
    """The cosine similarity of every pair.

    Args:
        vectors: (n, d) unit rows.

    Returns:
        (n, n) float32 in [-1, 1], exactly symmetric; the diagonal is 1, or 0 for a row of zeros.
    """
    similarity = _products(vectors)
    np.fill_diagonal(similarity, vectors.any(axis=1))
    return similarity


def neighbors(vectors: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """The nearest other rows of every row, exactly, in blocks of rows.

    Args:
        vectors: (n, d) unit rows.
        k: How many neighbours; at most n - 1 are returned.

    Returns:
        (n, min(k, n - 1)) int32 indices, the nearest first and the lower index first among
        equals, and their cosine similarities, float32 in [-1, 1]. A row is never its own
        neighbour.
    """
    n = len(vectors)
    k = max(min(k, n - 1), 0)
    indices, similarity = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    # A matrix product may round equal columns differently; computed once, copies tie exactly.
    distinct, inverse = np.unique(vectors, axis=0, return_inverse=True)
    for start in range(0, n if k else 0, BLOCK_ROWS):
        block = slice(start, min(start + BLOCK_ROWS, n))
        scores = np.take(vectors[block] @ distinct.T, inverse, axis=1)
        scores[np.arange(len(scores)), np.arange(n)[block]] = -np.inf
        indices[block] = _largest(scores, k)
        similarity[block] = np.take_along_axis(scores, indices[block], axis=1)
    return indices, np.clip(similarity, -1, 1)


def leaf_order(views: Sequence[FloatArray]) -> IntArray:
    """An order in which similar texts are neighbours, for the rows and columns of heatmaps.

    Up to `EXACT_ORDER` distinct texts: average linkage on the mean cosine distance over the
    views, its leaves in the order with the smallest sum of neighbouring distances (Bar-Joseph,
    Gifford and Jaakkola 2001). Above: the same for the centres of a spherical k-means, and the
    texts of a centre by whether they lean towards the centre before or the one after.

    Args:
        views: One or more (n, d) arrays of unit rows: the same texts under several instructions.

    Returns:
        (n,) int32, a permutation; identical texts follow each other in their given order.
    """
    # The mean of several cosines is one dot product of the vectors laid end to end.
    joined = np.hstack(list(views)) / np.float32(np.sqrt(len(views)))
    distinct, inverse = np.unique(joined, axis=0, return_inverse=True)
    order = _optimal_order if len(distinct) <= EXACT_ORDER else _order_by_centres
    position = np.argsort(order(distinct))
    return np.argsort(position[inverse], kind="stable").astype(np.int32)


def heatmap(vectors: FloatArray, order: IntArray, *, max_cells: int = 400) -> FloatArray:
    """The cosine matrix in a given order, averaged over blocks of texts when there are many.

    The mean cosine of two blocks is the dot product of their two mean vectors, so the n x n
    matrix is never needed. A block with itself counts every text with itself too.

    Args:
        vectors: (n, d) unit rows.
        order: (n,) permutation, as from `leaf_order`.
        max_cells: The most cells along a side.

    Returns:
        (m, m) float32 in [-1, 1], exactly symmetric, m = min(n, max_cells). Blocks differ in size
        by at most one text.
    """
    rows = vectors[order]
    if len(rows) <= max_cells:
        return cosine(rows)
    starts = np.arange(max_cells) * len(rows) // max_cells
    return _products(_block_means(rows, starts))


def _lengths(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return lengths


def _products(rows: FloatArray) -> FloatArray:
    products = np.clip(rows @ rows.T, -1, 1)
    return np.asarray((products + products.T) / 2, dtype=np.float32)


def _block_means(rows: FloatArray, starts: NDArray[np.int64]) -> FloatArray:
    sizes = np.diff(starts, append=len(rows))[:, None]
    return np.asarray(np.add.reduceat(rows, starts, axis=0) / sizes, dtype=np.float32)


def _largest(scores: FloatArray, k: int) -> NDArray[np.int64]:
    """The columns of the k largest scores of every row, the lower column first among equals."""
    top = np.sort(np.argpartition(scores, -k, axis=1)[:, -k:], axis=1)
    values = np.take_along_axis(scores, top, axis=1)
    # Which of several equals argpartition keeps is arbitrary, so those rows are sorted in full.
    tied = (scores >= values.min(axis=1, keepdims=True)).sum(axis=1) > k
    top = np.take_along_axis(top, np.argsort(-values, axis=1, kind="stable"), axis=1)
    top[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    return top


def _optimal_order(rows: FloatArray) -> NDArray[np.int64]:
    if len(rows) < 3:
        return np.arange(len(rows))
    from scipy.cluster.hierarchy import leaves_list, linkage

    distances = (1 - _products(rows))[np.triu_indices(len(rows), 1)]
    tree = linkage(distances, method="average", optimal_ordering=True)
    return np.asarray(leaves_list(tree), dtype=np.int64)


def _order_by_centres(rows: FloatArray) -> NDArray[np.int64]:
    centres, nearest = _centres(rows)
    path = _optimal_order(centres)
    position = np.argsort(path)[nearest]
    ends = centres[np.pad(path, 1, mode="edge")]
    towards_next = (ends[2:] - ends[:-2])[position]  # (n, d)
    return np.lexsort((np.einsum("nd,nd->n", rows, towards_next), position))


def _centres(rows: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Spherical k-means: at most `CENTRES` unit rows, and the centre of every row."""
    centres = rows[np.linspace(0, len(rows) - 1, CENTRES).astype(np.int64)]
    for _ in range(ROUNDS):
        nearest = (rows @ centres.T).argmax(axis=1)
        by_centre = np.argsort(nearest, kind="stable")
        _, starts = np.unique(nearest[by_centre], return_index=True)
        centres = unit_vectors(_block_means(rows[by_centre], starts))
    return centres, (rows @ centres.T).argmax(axis=1)
