"""Unit vectors, cosines, neighbours, the order of texts and the heatmap."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inbedder_core import similarity
from inbedder_core.similarity import cosine, heatmap, leaf_order, neighbors, unit_vectors

FINITE = st.floats(-1e6, 1e6, width=32)
MATRICES = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=FINITE)
# Few different numbers make equal rows, opposite rows and rows of zeros likely.
COARSE = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8).filter(lambda shape: shape[1]),
    elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0]),
)


def groups(n, n_groups, seed=0, spread=0.3):
    """Unit rows around n_groups directions, shuffled, and the group of each."""
    rng = np.random.default_rng(seed)
    of = rng.permutation(np.arange(n) % n_groups)
    centres = np.eye(max(n_groups, 16))[of]
    return unit_vectors(centres + rng.normal(size=centres.shape) * spread / 4), of


@given(MATRICES | COARSE, st.booleans())
def test_unit_rows_are_unit_or_zero(embeddings, centered):
    unit = unit_vectors(embeddings, centered=centered)
    assert unit.dtype == np.float32
    assert unit.shape == embeddings.shape
    lengths = np.linalg.norm(unit, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


@given(MATRICES, st.booleans(), st.data())
def test_identical_rows_stay_identical(embeddings, centered, data):
    n = len(embeddings)
    copied = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=12))
    unit = unit_vectors(embeddings[copied], centered=centered)
    for i, j in itertools.combinations(range(len(copied)), 2):
        if copied[i] == copied[j]:
            assert unit[i].tobytes() == unit[j].tobytes()


def test_unit_vectors_of_special_rows():
    rows = np.array([[0, 0], [3, 4], [1e-30, 0], [1e30, 0]], np.float32)
    np.testing.assert_allclose(unit_vectors(rows), [[0, 0], [0.6, 0.8], [1, 0], [1, 0]], rtol=1e-6)


def test_centering_takes_the_mean_away():
    rows = np.array([[5, 1], [5, -1], [5, 3], [5, -3]], np.float32)
    np.testing.assert_allclose(
        unit_vectors(rows, centered=True), [[0, 1], [0, -1], [0, 1], [0, -1]], atol=1e-6
    )


def test_centering_one_row_subtracts_nothing():
    np.testing.assert_allclose(
        unit_vectors(np.array([[3, 4]], np.float32), centered=True), [[0.6, 0.8]], rtol=1e-6
    )


def test_a_row_that_equals_the_mean_has_no_direction():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 7)).astype(np.float32)
    balanced = np.vstack([rows, -rows, np.zeros((1, 7), np.float32)]) + np.float32(0.1)
    unit = unit_vectors(balanced, centered=True)
    assert not unit[-1].any()
    assert unit[:-1].any(axis=1).all()
    assert not unit_vectors(np.tile(rows[:1], (50, 1)), centered=True).any()


def test_cosine_of_known_vectors():
    vectors = unit_vectors(np.array([[1, 0], [1, 1], [-1, 0], [0, 0]], np.float32))
    half = np.sqrt(0.5)
    expected = [[1, half, -1, 0], [half, 1, -half, 0], [-1, -half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(cosine(vectors), expected, atol=1e-6)


@given(MATRICES | COARSE)
def test_cosine_is_symmetric_bounded_and_one_on_the_diagonal(embeddings):
    vectors = unit_vectors(embeddings)
    matrix = cosine(vectors)
    assert matrix.dtype == np.float32
    assert matrix.shape == (len(vectors), len(vectors))
    assert (matrix == matrix.T).all()
    assert (np.abs(matrix) <= 1).all()
    assert (np.diag(matrix) == vectors.any(axis=1)).all()


@given(COARSE, st.integers(0, 9))
def test_neighbors_are_those_of_the_whole_matrix(embeddings, k):
    vectors = unit_vectors(embeddings)
    n = len(vectors)
    indices, similarities = neighbors(vectors, k)
    assert indices.shape == similarities.shape == (n, max(min(k, n - 1), 0))
    assert (indices.dtype, similarities.dtype) == (np.int32, np.float32)
    for i, (own, values) in enumerate(zip(indices, similarities, strict=True)):
        exact = vectors.astype(float) @ vectors[i]
        others = sorted(set(range(n)) - {i}, key=lambda j: (-exact[j].round(4), j))
        np.testing.assert_allclose(values, exact[others[: len(own)]], atol=1e-4)
        np.testing.assert_allclose(exact[own], values, atol=1e-6)
        assert i not in own
        assert len(set(own.tolist())) == len(own)


def test_of_equal_neighbors_the_first_comes_first():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 300, axis=0)
    indices, similarities = neighbors(vectors, 5)
    assert indices[0].tolist() == [1, 2, 3, 4, 5]
    assert indices[2].tolist() == [0, 1, 3, 4, 5]
    assert indices[700].tolist() == [600, 601, 602, 603, 604]
    assert (similarities == 1).all()
    assert neighbors(np.eye(4, dtype=np.float32), 2)[0].tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_copies_tie_exactly_wherever_they_stand():
    vectors, _ = groups(700, 3, spread=2)
    copied = np.vstack([vectors, vectors[::-1]])
    indices, _ = neighbors(copied, 4)
    for i in range(700):
        assert indices[i][0] == 1399 - i  # its own copy
        assert indices[i][1] + indices[i][2] == 1399  # the next text and then its copy
        assert indices[i][1] < indices[i][2]


def test_neighbors_do_not_depend_on_the_blocks(monkeypatch):
    vectors, _ = groups(100, 5, spread=2)
    whole = neighbors(vectors, 7)
    monkeypatch.setattr(similarity, "BLOCK_ROWS", 9)
    in_blocks = neighbors(vectors, 7)
    assert (whole[0] == in_blocks[0]).all()
    np.testing.assert_allclose(whole[1], in_blocks[1], atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_order_of_few_and_of_identical_texts(n):
    several, _ = groups(n, max(n, 1))
    assert sorted(leaf_order([several]).tolist()) == list(range(n))
    assert leaf_order([np.ones((n, 4), np.float32) / 2]).tolist() == list(range(n))
    assert leaf_order([np.zeros((n, 4), np.float32)]).tolist() == list(range(n))
    assert leaf_order([several]).dtype == np.int32


def changes(of):
    return int((np.diff(of) != 0).sum())


@pytest.mark.parametrize("exact", [400, 20])
def test_order_keeps_groups_together(monkeypatch, exact):
    monkeypatch.setattr(similarity, "EXACT_ORDER", exact)
    monkeypatch.setattr(similarity, "CENTRES", 15)
    vectors, of = groups(120, 6)
    order = leaf_order([vectors])
    assert sorted(order.tolist()) == list(range(120))
    assert changes(of[order]) == 5
    assert (leaf_order([vectors]) == order).all()


def test_order_of_centres_is_nearly_as_smooth_as_the_exact_one(monkeypatch):
    vectors, _ = groups(300, 12, spread=1)

    def smoothness(order):
        return float((vectors[order][1:] * vectors[order][:-1]).sum(axis=1).mean())

    exact = smoothness(leaf_order([vectors]))
    monkeypatch.setattr(similarity, "EXACT_ORDER", 100)
    monkeypatch.setattr(similarity, "CENTRES", 60)
    assert smoothness(leaf_order([vectors])) > 0.9 * exact


def test_order_weighs_all_views():
    a, of_a = groups(40, 4, seed=1, spread=0.2)
    b, of_b = groups(40, 2, seed=2, spread=0.2)
    order = leaf_order([a, b])
    pairs = of_a * 2 + of_b
    assert changes(pairs[order]) == len(set(pairs.tolist())) - 1
    assert (leaf_order([a, a, a]) == leaf_order([a])).all()


@given(st.permutations(range(12)))
def test_order_follows_the_texts_when_they_are_shuffled(permutation):
    vectors, _ = groups(12, 3)
    shuffled = leaf_order([vectors[permutation]])
    assert np.array(permutation)[shuffled].tolist() == leaf_order([vectors]).tolist()


def test_copies_follow_each_other(monkeypatch):
    vectors, _ = groups(60, 4, spread=2)
    copied = np.tile(vectors, (3, 1))
    for exact in (400, 10):
        monkeypatch.setattr(similarity, "EXACT_ORDER", exact)
        order = leaf_order([copied]).reshape(60, 3)
        assert (np.diff(order, axis=1) == 60).all()


def test_heatmap_of_few_texts_is_the_cosine_in_order():
    vectors, _ = groups(9, 3)
    order = leaf_order([vectors])
    assert (heatmap(vectors, order) == cosine(vectors)[np.ix_(order, order)]).all()
    assert heatmap(vectors[:0], order[:0]).shape == (0, 0)
    assert heatmap(vectors[:1], np.zeros(1, np.int32)).tolist() == [[1]]


@given(st.integers(1, 40), st.integers(1, 15), st.integers(0, 9))
def test_heatmap_is_the_block_mean_of_the_cosine(n, max_cells, seed):
    vectors, _ = groups(n, 4, seed=seed, spread=2)
    order = np.random.default_rng(seed).permutation(n)
    cells = heatmap(vectors, order, max_cells=max_cells)
    assert cells.dtype == np.float32
    assert (cells == cells.T).all()
    assert cells.shape == (min(n, max_cells),) * 2
    blocks = [order[place] for place in runs(n, min(n, max_cells))]
    expected = [[cosine(vectors)[np.ix_(a, b)].mean() for b in blocks] for a in blocks]
    np.testing.assert_allclose(cells, expected, atol=1e-5)


def runs(n, n_runs):
    edges = [cell * n // n_runs for cell in range(n_runs + 1)]
    places = [range(*edge) for edge in itertools.pairwise(edges)]
    assert max(map(len, places)) - min(map(len, places)) <= 1
    return places


def test_many_texts_need_no_square_matrix():
    """10,000 texts in a process of its own: the peak stays far below that of n x n floats."""
    script = """
import resource, numpy as np
from inbedder_core.similarity import *
vectors = unit_vectors(np.random.default_rng(0).normal(size=(10_000, 64)))
import scipy.cluster.hierarchy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
neighbors(vectors, 10)
order = leaf_order([vectors, vectors])
assert heatmap(vectors, order).shape == (400, 400)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 250  # MB; the matrix alone has 400
