"""Maps: UMAP, PCA and MDS, rules for few texts, one map laid over another, and how far to trust.

All of it works on distinct vectors in an order of their own: copies of a text share a point, and
the order of the texts does not matter.
"""

import threading
import warnings
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from inbedder_core.errors import InputError
from inbedder_core.schema import FloatArray, IntArray, Projection, ProjectionMethod

Doubles = NDArray[np.float64]
Nearest = tuple[IntArray, FloatArray]
"""Indices and Euclidean distances (m, k) of the k nearest of m distinct rows, the nearest first."""

# Measured with the seed checkpoint on twenty-odd instructions: below 30 texts MDS keeps more
# neighbours than UMAP (0.73 against 0.69 for 25 texts), and asking the same question in other words
# moves its points half as far.
LEAST_FOR_UMAP = 30
MOST_FOR_MDS = 2_000
EPOCHS = 200
# Smaller steps than UMAP's 1 keep more neighbours, and after another map they keep the place of
# what did not change: for 300 texts asked twice the same, the points moved by 0.28 of the map's
# radius instead of 0.50.
STEP, STEP_FROM_MAP = 0.3, 0.1
START_EXTENT = 10.0
TRUST_NEIGHBORS = 10

_fitting = threading.Lock()
_warm = threading.Event()


def project(
    vectors: FloatArray,
    *,
    method: ProjectionMethod = "umap",
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 42,
    init: FloatArray | None = None,
    nearest: Nearest | None = None,
) -> Projection:
    """Draws a map of texts.

    MDS is classical scaling (Torgerson 1952) of the angles between vectors: unlike
    1 - cosine they obey the triangle inequality, so that three texts are drawn exactly. UMAP
    (McInnes et al. 2018) starts from `init`, else from PCA, with exact nearest neighbours.
    Fewer than `LEAST_FOR_UMAP` distinct vectors are drawn by MDS instead of UMAP, more than
    `MOST_FOR_MDS` by PCA instead of MDS.

    Args:
        vectors: (n, d) unit rows, finite.
        method: "umap", "pca" or "mds".
        n_neighbors: UMAP's neighbourhood, at least 2; larger shows more of the whole.
        min_dist: UMAP's smallest distance between points, in [0, 1).
        seed: Seed of UMAP.
        init: (n, 2) map of the same texts that UMAP starts from, so that two maps can be compared.
        nearest: ``nearest_rows(vectors, n_neighbors)``, if it is known from another map.

    Returns:
        The map, centred, with the method that was really used. The same input gives the same map.

    Raises:
        InputError: A setting is out of range.
    """
    check(method, n_neighbors, min_dist)
    rows, first, inverse = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    method = _method_for(method, len(rows))
    indices, distances = nearest or _nearest(rows, max(n_neighbors, TRUST_NEIGHBORS))
    if len(rows) < 2:
        points = np.zeros((len(rows), 2))
    elif method == "umap":
        others = min(n_neighbors, len(rows) - 1) - 1  # UMAP counts a row as its own neighbour
        neighbors = indices[:, :others], distances[:, :others]
        start = None if init is None else init[first]
        points = _umap(rows, neighbors, start, min_dist=min_dist, seed=seed)
    else:
        points = (_pca if method == "pca" else _mds)(rows)
    trust = _shared(indices[:, :TRUST_NEIGHBORS], points)
    return Projection(_centred(points[inverse]).astype(np.float32), trust[inverse], method)


def nearest_rows(vectors: FloatArray, n_neighbors: int) -> Nearest:
    """The nearest of every distinct row: what a map needs of the vectors whatever it looks like.

    Args:
        vectors: (n, d) unit rows.
        n_neighbors: As for `project`.
    """
    return _nearest(np.unique(vectors, axis=0), max(n_neighbors, TRUST_NEIGHBORS))


def align(xy: FloatArray, reference: FloatArray) -> FloatArray:
    """Lays a map over another: moved, turned, mirrored and scaled, never distorted.

    Orthogonal Procrustes (Schönemann 1966) on the centred maps, after which both have the same
    root-mean-square radius.

    Args:
        xy: (n, 2) map to lay over the reference.
        reference: (n, 2) map of the same texts.

    Returns:
        (n, 2) float32, centred on the origin. The size stays as it is when all points of either
        map coincide.
    """
    moving, fixed = _centred(xy), _centred(reference)
    u, _, vt = np.linalg.svd(moving.T @ fixed)
    sizes = np.linalg.norm(moving), np.linalg.norm(fixed)
    scale = sizes[1] / sizes[0] if min(sizes) > 0 else 1.0
    return np.asarray(moving @ (u @ vt) * scale, dtype=np.float32)


def trustworthiness(vectors: FloatArray, xy: FloatArray, *, k: int = 10) -> FloatArray:
    """How far the surroundings of every text on the map are those in the embedding.

    Args:
        vectors: (n, d) unit rows.
        xy: (n, 2) map in which identical rows share a point.
        k: How many neighbours are looked at; copies of a text count as one.

    Returns:
        (n,) float32 in [0, 1], the share of a text's k nearest on the map that are among its k
        nearest in the embedding; 1 where there are at most k others.
    """
    rows, first, inverse = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    return _shared(_nearest(rows, k)[0], xy[first])[inverse]


def warm_up() -> None:
    """Imports UMAP and fits a few points, so that nobody waits for its compiler later.

    Takes about ten seconds, once per process; to be called in a background thread.
    """
    project(np.eye(LEAST_FOR_UMAP, dtype=np.float32), n_neighbors=3)


def is_warm() -> bool:
    """Whether a UMAP has been fitted in this process, so that the next takes no extra time."""
    return _warm.is_set()


def check(method: str, n_neighbors: int, min_dist: float) -> None:
    """Raises `InputError` if a setting of `project` is out of its range."""
    if method not in get_args(ProjectionMethod):
        allowed = ", ".join(get_args(ProjectionMethod))
        raise InputError(f"There is no map called {method!r:.40}; choose one of {allowed}.")
    if n_neighbors < 2:
        raise InputError(f"UMAP needs at least 2 neighbours and was given {n_neighbors}.")
    if not 0 <= min_dist < 1:
        raise InputError(f"UMAP's minimum distance is {min_dist}; choose 0 to 0.99.")


def _method_for(method: ProjectionMethod, n: int) -> ProjectionMethod:
    if method == "umap" and n < LEAST_FOR_UMAP:
        return "mds"
    return "pca" if method == "mds" and n > MOST_FOR_MDS else method


def _nearest(rows: NDArray[np.floating], k: int) -> Nearest:
    """Indices and Euclidean distances (n, min(k, n - 1)) of the nearest other rows, exactly."""
    k = min(k, len(rows) - 1)
    if k < 1:
        empty = np.empty((len(rows), 0))
        return empty.astype(np.int32), empty.astype(np.float32)
    from sklearn.neighbors import NearestNeighbors

    # Trees are slower than brute force in hundreds of dimensions, and faster on a map.
    way = "brute" if rows.shape[1] > 2 else "kd_tree"
    distances, nearest = NearestNeighbors(n_neighbors=k, algorithm=way).fit(rows).kneighbors()
    return nearest.astype(np.int32), distances.astype(np.float32)


def _shared(nearest: IntArray, points: NDArray[np.floating]) -> FloatArray:
    n, k = nearest.shape
    both = np.sort(np.hstack([nearest, _nearest(points, k)[0]]), axis=1)
    shared = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    return np.asarray(shared / k if k else np.ones(n), dtype=np.float32)


def _centred(points: NDArray[np.floating]) -> Doubles:
    doubles = points.astype(np.float64)
    mean: Doubles = doubles.sum(axis=0) / max(len(doubles), 1)  # no texts have no mean
    return doubles - mean


def _umap(
    rows: FloatArray,
    neighbors: Nearest,
    init: FloatArray | None,
    *,
    min_dist: float,
    seed: int,
) -> Doubles:
    if init is not None and not np.ptp(init, axis=0).any():
        init = None  # points that all coincide can't be pulled apart
    start = _pca(rows) if init is None else _centred(init)
    # A row is its own first neighbour; half the squared distance of unit rows is one minus cosine.
    indices = np.column_stack([np.arange(len(rows), dtype=np.int32), neighbors[0]])
    cosine_distances = np.pad(np.square(neighbors[1]) / 2, ((0, 0), (1, 0)))
    # One fit at a time: numba's threads and Python's list of warning filters are shared by all.
    with _fitting, warnings.catch_warnings():
        # We don't use the neural UMAP that needs TensorFlow.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        # Without a search index new points can't be added to the map later; nobody does.
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)
        import umap

        model = umap.UMAP(
            n_neighbors=indices.shape[1],
            min_dist=min_dist,
            metric="cosine",
            init=(start * (START_EXTENT / np.abs(start).max())).astype(np.float32),
            learning_rate=STEP if init is None else STEP_FROM_MAP,
            n_epochs=EPOCHS,
            random_state=seed,
            n_jobs=1,  # what a seed implies; saying so saves a warning
            precomputed_knn=(indices, cosine_distances),
        )
        points: Doubles = model.fit_transform(rows).astype(np.float64)
    _warm.set()
    return points


def _pca(rows: FloatArray) -> Doubles:
    """The two main axes, from the smaller of the products (n, n) and (d, d)."""
    centred = _centred(rows)
    if len(rows) <= rows.shape[1]:
        return _scaled(centred @ centred.T)
    _, axes = _leading(centred.T @ centred)
    return _upright(centred @ axes)


def _mds(rows: FloatArray) -> Doubles:
    """Classical scaling: the doubly centred squared angles, as if they were dot products."""
    from scipy.spatial.distance import pdist, squareform

    # From the chord: the arc cosine of a dot product near 1 would lose half the digits.
    chords = pdist(rows.astype(np.float64))
    angles = 2 * np.arcsin(np.minimum(chords / 2, 1))
    products = -np.square(squareform(angles)) / 2
    return _scaled(_centred(_centred(products).T))


def _scaled(products: Doubles) -> Doubles:
    """The (n, 2) points whose dot products come nearest to the given ones."""
    values, vectors = _leading(products)
    return _upright(vectors * np.sqrt(np.maximum(values, 0)))


def _leading(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """The two largest eigenvalues of a symmetric matrix, or as many as it has, and vectors."""
    from scipy.linalg import eigh

    size = len(matrix)
    values, vectors = eigh(matrix, subset_by_index=[max(size - 2, 0), size - 1])
    return values[::-1], vectors[:, ::-1]


def _upright(points: Doubles) -> Doubles:
    """(n, 2), each axis turned so that its extreme is positive: eigenvectors have no sign."""
    points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    return points * np.where(points.max(axis=0) + points.min(axis=0) < 0, -1.0, 1.0)
