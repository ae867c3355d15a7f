"""The scores of the evaluation, against brute force and known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import v_measure_score

from inbedder_core.recipes import metrics
from inbedder_core.similarity import unit_vectors

TWO_FACETS = [(animal, mood) for animal in "abc" for mood in "xy"] * 4
ANIMAL, MOOD = ([pair[i] for pair in TWO_FACETS] for i in (0, 1))


def one_hot(labels):
    return (np.array(labels)[:, None] == np.unique(labels)).astype(np.float32)


def brute_force_triplets(embeddings, labels, other, weights):
    vectors = unit_vectors(embeddings, centered=True)
    right = total = 0.0
    for a, anchor in enumerate(vectors):
        won = pairs = 0.0
        for p, positive in enumerate(vectors):
            for q, negative in enumerate(vectors):
                if labels[p] == labels[a] != labels[q] and other[q] == other[a] != other[p]:
                    margin = anchor @ positive - anchor @ negative
                    won += weights[p] * weights[q] * (1.0 if margin > 0 else 0.5 * (margin == 0))
                    pairs += weights[p] * weights[q]
        if pairs:
            right += weights[a] * won / pairs
            total += weights[a]
    return 100 * right / total if total else np.nan


def test_what_follows_the_instruction_is_perfect():
    noise = np.random.default_rng(0).normal(0, 0.01, (24, 3)).astype(np.float32)
    embeddings = one_hot(ANIMAL) + noise
    assert metrics.v_measure(embeddings, ANIMAL) == pytest.approx(100)
    assert metrics.v_measure(embeddings, MOOD) < 5
    assert metrics.triplet_accuracy(embeddings, ANIMAL, MOOD) == 100
    assert metrics.triplet_accuracy(embeddings, MOOD, ANIMAL) == 0


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12))
def test_triplets_are_those_of_the_definition(seed, n):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, 4)).astype(np.float32)
    labels, other = rng.choice(list("ab"), (2, n)).tolist()
    weights = rng.integers(0, 3, (3, n)).astype(float)
    found = metrics.triplet_accuracy(embeddings, labels, other, weights=weights)
    wanted = [brute_force_triplets(embeddings, labels, other, row) for row in weights]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_what_ignores_the_instruction_has_50_in_both_directions_together():
    embeddings = np.random.default_rng(3).normal(size=(24, 8)).astype(np.float32)
    there = metrics.triplet_accuracy(embeddings, ANIMAL, MOOD)
    back = metrics.triplet_accuracy(embeddings, MOOD, ANIMAL)
    assert there + back == pytest.approx(100)


@given(seed=st.integers(0, 10_000))
def test_weights_count_texts_in_the_v_measure(seed):
    rng = np.random.default_rng(seed)
    given_labels, found = rng.integers(0, 3, (2, 20))
    given_labels[:3] = found[:3] = range(3)
    weights = rng.integers(0, 3, (2, 20))
    weights[:, :3] += 1
    scores = metrics._v_measures(given_labels, found, weights.astype(float))
    for score, counts in zip(scores, weights, strict=True):
        copies = np.repeat(given_labels, counts), np.repeat(found, counts)
        assert score == pytest.approx(100 * v_measure_score(*copies), abs=1e-9)


@pytest.mark.parametrize("labels", [["a"] * 5, []])
def test_labels_that_say_nothing_have_no_score(labels):
    embeddings = np.eye(5, dtype=np.float32)[: len(labels)]
    assert np.isnan(metrics.v_measure(embeddings, labels)).all()
    assert np.isnan(metrics.triplet_accuracy(embeddings, labels, labels)).all()


def test_the_interval_is_that_of_theory_for_a_mean():
    right = np.arange(400) % 4 == 0
    weights = metrics.bootstrap_weights(400, 2_000)
    scores = 100 * (weights @ right) / weights.sum(axis=1)
    theory = 1.96 * 100 * np.sqrt(0.25 * 0.75 / 400)
    assert scores[0] == 25
    assert metrics.interval(scores) == pytest.approx(theory, rel=0.1)
    assert metrics.interval(scores[:1]) == 0


def test_the_papers_v_measure():
    embeddings = 100 + one_hot(ANIMAL)
    assert metrics.paper_v_measure(embeddings, ANIMAL) == pytest.approx(100)
    assert metrics.paper_v_measure(embeddings, MOOD) == pytest.approx(0, abs=1e-9)


def test_success_rate_counts_ties_as_failures():
    anchor, other = np.array([[1, 0]] * 4), np.array([[1, 1], [2, 0], [-1, 0], [1, 0]])
    assert metrics.success_rate(anchor, anchor, other) == 75 - 25
    assert metrics.success_rate(anchor, other, anchor) == 0


def test_spearman_looks_at_ranks_only():
    first = np.eye(2, dtype=np.float32)[[0, 0, 0]]
    second = np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32)
    assert metrics.spearman(first, second, [5, 4.9, 0]) == pytest.approx(100)
    assert metrics.spearman(first, second, [0, 1, 9]) == pytest.approx(-100)
    assert np.isnan(metrics.spearman(first, second, [1, 1, 1]))


@pytest.mark.parametrize(("scores", "mean"), [([20, 80], 32), ([50], 50), ([-3], -3), ([0, 90], 0)])
def test_harmonic_mean(scores, mean):
    assert metrics.harmonic_mean(scores) == pytest.approx(mean)
