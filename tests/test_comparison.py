"""How far two instructions agree, and which texts have moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inbedder_core.comparison import agreement, moved

SEEDS = st.integers(0, 10_000)
COARSE = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random(n, d=12, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def around(of, d=32, seed=0):
    """Unit rows around one direction for each of the given groups."""
    rng = np.random.default_rng(seed)
    return unit(np.eye(d)[of] + rng.normal(size=(len(of), d)) * 0.05)


@given(COARSE, SEEDS)
def test_agreement_is_bounded_and_symmetric(a, seed):
    b = random(len(a), 5, seed)
    assert 0 <= agreement(a, b) <= 1
    assert agreement(a, b) == pytest.approx(agreement(b, a), abs=1e-9)


@given(st.integers(4, 30), SEEDS)
def test_an_instruction_agrees_with_itself(n, seed):
    assert agreement(random(n, seed=seed), random(n, seed=seed)) == pytest.approx(1)


@given(st.integers(2, 20), SEEDS)
def test_agreement_ignores_rotation_and_the_order_of_texts(n, seed):
    a, b = random(n, 6, seed), random(n, 9, seed + 1)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))
    rotated = (a @ rotation).astype(np.float32)
    assert agreement(rotated, b) == pytest.approx(agreement(a, b), abs=1e-4)
    order = np.random.default_rng(seed).permutation(n)
    assert agreement(a[order], b[order]) == pytest.approx(agreement(a, b), abs=1e-6)


def test_agreement_is_the_alignment_of_the_unbiased_estimates():
    """Against the published formula, written with the n x n matrices that the module avoids."""

    def hsic(k, other):
        n, ones = len(k), np.ones(len(k))
        k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
        return (
            np.trace(k @ other)
            + (ones @ k @ ones) * (ones @ other @ ones) / ((n - 1) * (n - 2))
            - 2 / (n - 2) * (ones @ k @ other @ ones)
        ) / (n * (n - 3))

    of = np.arange(24) % 3
    a, b = around(of).astype(float), around(np.where(of == 2, 1, of), 20, seed=1).astype(float)
    k, other = a @ a.T, b @ b.T
    expected = hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))
    assert 0.3 < expected < 0.9
    assert agreement(a.astype(np.float32), b.astype(np.float32)) == pytest.approx(expected, 1e-5)


def test_unrelated_groups_disagree_however_few_the_texts():
    animal, feeling = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    assert agreement(around(animal), around(feeling, seed=1)) < 0.01
    assert agreement(around(animal), around(animal, seed=1)) > 0.95
    # The biased estimate gives 0.97 for these random vectors.
    values = [agreement(random(12, 300, seed), random(12, 300, seed + 99)) for seed in range(20)]
    assert np.mean(values) < 0.15


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 9])
def test_agreement_where_there_is_no_structure(n):
    same, different = np.full((n, 4), 0.5, np.float32), random(n, 4)
    assert agreement(same, same) == 1
    assert agreement(same, np.zeros_like(same)) == 1
    assert agreement(same, different) == (n < 2)
    assert agreement(different, different) == pytest.approx(1)


def test_agreement_of_texts_that_are_all_equally_apart():
    assert agreement(np.eye(5, dtype=np.float32), np.eye(5, dtype=np.float32)) == 1
    assert agreement(np.eye(5, dtype=np.float32), random(5)) == 0


def test_moved_counts_the_neighbors_that_are_gone():
    a = np.array([[1, 2], [0, 2], [0, 1], [1, 0]], np.int32)
    b = np.array([[2, 1], [2, 3], [3, 4], [0, 2]], np.int32)
    result = moved(a, b)
    assert result.dtype == np.float32
    assert result.tolist() == [0, 0.5, 1, 0.5]


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_moves_without_neighbors(n):
    assert moved(np.zeros((n, 0), np.int32), np.zeros((n, 0), np.int32)).tolist() == [0] * n


@given(st.integers(1, 8), SEEDS)
def test_moved_ignores_the_order_of_neighbors(k, seed):
    rng = np.random.default_rng(seed)
    a, b = (np.stack([rng.permutation(12)[:k] for _ in range(6)]) for _ in range(2))
    expected = [1 - len(set(x) & set(y)) / k for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(moved(a, b), expected, atol=1e-6)
    np.testing.assert_allclose(moved(a, rng.permuted(b, axis=1)), expected, atol=1e-6)
    assert not moved(a, a).any()
