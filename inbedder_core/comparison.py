"""What changes between two instructions: how far they agree, and which texts have moved."""

import numpy as np
from numpy.typing import NDArray

from inbedder_core.schema import FloatArray, IntArray

NO_STRUCTURE = 1e-12


def agreement(a: FloatArray, b: FloatArray) -> float:
    """How far two instructions see the same similarities between the same texts.

    Linear centred kernel alignment (Kornblith et al. 2019, section 3) with the unbiased estimate
    of the Hilbert-Schmidt independence criterion (Song et al. 2012, equation 5). With few texts
    the usual, biased estimate reports agreement between unrelated instructions: about 0.5 for 12
    texts where the truth is 0. Neither length nor rotation of the vectors matters, and no n x n
    matrix is made. Fewer than four texts leave only the biased estimate.

    Args:
        a: (n, d) unit rows under one instruction.
        b: (n, e) unit rows of the same texts under another.

    Returns:
        In [0, 1]. Where an instruction sees no structure (every pair equally similar, or at most
        one text) the result is 1 if the other sees none either, else 0.
    """
    hsic = _unbiased_hsic if len(a) >= 4 else _biased_hsic
    x, y = a.astype(np.float64), b.astype(np.float64)
    of_a, of_b = hsic(x, x), hsic(y, y)
    if min(of_a, of_b) <= NO_STRUCTURE:
        return float(max(of_a, of_b) <= NO_STRUCTURE)
    return float(np.clip(hsic(x, y) / np.sqrt(of_a * of_b), 0, 1))


def moved(neighbors_a: IntArray, neighbors_b: IntArray) -> FloatArray:
    """How many of each text's neighbours are others under the second instruction.

    Args:
        neighbors_a: (n, k) indices of the nearest texts under one instruction.
        neighbors_b: (n, k) the same under another.

    Returns:
        (n,) float32 in [0, 1], 1 - |a and b| / k; 0 where there are no neighbours.
    """
    both = np.sort(np.hstack([neighbors_a, neighbors_b]), axis=1)
    shared = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    k = neighbors_a.shape[1]
    return np.asarray((k - shared) / max(k, 1), dtype=np.float32)


def _biased_hsic(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    n = max(len(a), 1)
    # A mean over no rows would warn; the sum of none is zero.
    a, b = a - a.sum(axis=0) / n, b - b.sum(axis=0) / n
    return float(np.square(a.T @ b).sum()) / n**2


def _unbiased_hsic(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Song et al. (2012), equation 5, for K = a a' and L = b b' with their diagonals set to 0."""
    n = len(a)
    k_diagonal, l_diagonal = np.square(a).sum(axis=1), np.square(b).sum(axis=1)
    k_sums, l_sums = a @ a.sum(axis=0) - k_diagonal, b @ b.sum(axis=0) - l_diagonal
    trace = np.square(a.T @ b).sum() - k_diagonal @ l_diagonal
    totals = k_sums.sum() * l_sums.sum() / ((n - 1) * (n - 2))
    return float((trace + totals - 2 * (k_sums @ l_sums) / (n - 2)) / (n * (n - 3)))
