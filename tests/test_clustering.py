"""Groups: how many, which, their names and how well they match given labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inbedder_core import clustering
from inbedder_core.clustering import cluster, label_match, name_groups
from inbedder_core.errors import InputError
from inbedder_core.schema import Answer
from inbedder_core.similarity import unit_vectors

COARSE = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0]),
)


def around(of, spread=0.3, seed=0, d=24):
    rng = np.random.default_rng(seed)
    return unit_vectors(np.eye(d)[of] + rng.normal(size=(len(of), d)) * spread / np.sqrt(d))


def same_division(a, b):
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


def says(*words):
    """The answers of one text, the first the most probable."""
    return tuple(Answer(word, 0.5 / (1 + place)) for place, word in enumerate(words))


@pytest.mark.parametrize("n_groups", [2, 3, 5, 7, 9])
def test_finds_the_number_of_groups(n_groups):
    of = np.random.default_rng(n_groups).permutation(np.arange(100) % n_groups)
    labels, silhouette = cluster(around(of))
    assert same_division(labels.tolist(), of.tolist())
    assert labels.dtype == np.int32
    assert 0.7 < silhouette <= 1


def test_answers_help_to_choose_the_number_of_groups():
    rng = np.random.default_rng(0)
    # Two far-apart pairs of near groups: by distance alone there are two.
    centres = np.array([[1, 0.25, 0], [1, -0.25, 0], [-1, 0.25, 1], [-1, -0.25, 1]])
    points = np.repeat(centres, 10, axis=0) + rng.normal(scale=0.07, size=(40, 3))
    vectors = unit_vectors(points.astype(np.float32))
    answers = [(Answer(word, 0.9),) for word in ("cat", "dog", "red", "blue") for _ in range(10)]
    assert len(set(cluster(vectors)[0])) == 2
    assert len(set(cluster(vectors, answers=answers)[0])) == 4


def test_the_largest_group_comes_first_and_the_earliest_among_equals():
    of = np.array([3, 0, 0, 1, 1, 1, 2, 2, 3, 3])
    labels, _ = cluster(around(of), 4)
    assert labels.tolist() == [0, 2, 2, 1, 1, 1, 3, 3, 0, 0]


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("n_groups", [None, 1, 5])
def test_none_and_one(n, n_groups):
    labels, silhouette = cluster(np.ones((n, 4), np.float32) / 2, n_groups)
    assert labels.tolist() == [0] * n
    assert labels.dtype == np.int32
    assert silhouette is None


def test_two_texts_are_two_groups_unless_they_are_the_same():
    assert cluster(np.eye(2, dtype=np.float32))[0].tolist() == [0, 1]
    assert cluster(np.eye(2, dtype=np.float32), 1) == (pytest.approx([0, 0]), None)
    assert cluster(np.eye(2, dtype=np.float32)[[1, 1]])[0].tolist() == [0, 0]


@pytest.mark.parametrize("row", [[0.6, 0.8], [0, 0]])
@pytest.mark.parametrize("n_groups", [None, 3])
def test_identical_texts_are_one_group(row, n_groups):
    labels, silhouette = cluster(np.tile(np.float32(row), (200, 1)), n_groups)
    assert not labels.any()
    assert silhouette is None


def test_never_more_groups_than_distinct_texts():
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1, 2]]
    for n_groups in (3, 4, 50, None):
        labels, silhouette = cluster(vectors, n_groups)
        assert labels.tolist() == [2, 1, 0, 0, 1, 0]
        assert silhouette == pytest.approx(5 / 6)  # the one that is alone counts 0


@pytest.mark.parametrize("n_groups", [0, -1, 51])
def test_an_impossible_number_of_groups_is_refused(n_groups):
    with pytest.raises(InputError, match=rf"groups is {n_groups}; choose 1 to 50"):
        cluster(np.eye(3, dtype=np.float32), n_groups)


def test_fifty_groups():
    labels, _ = cluster(around(np.arange(200) % 20, spread=1), 50)
    assert set(labels.tolist()) == set(range(50))


def test_max_groups_bounds_the_choice():
    of = np.arange(120) % 9
    assert cluster(around(of), max_groups=4)[0].max() < 4
    assert cluster(around(of), max_groups=1)[0].max() == 1


def test_few_texts_are_not_split_into_tiny_groups():
    scattered = around(np.zeros(24, int), spread=5)
    assert cluster(scattered)[0].max() < 5


@given(COARSE, st.none() | st.integers(1, 12))
def test_any_vectors_give_groups(embeddings, n_groups):
    vectors = unit_vectors(embeddings)
    labels, silhouette = cluster(vectors, n_groups)
    distinct = len({row.tobytes() for row in vectors + np.float32(0)})
    used = set(labels.tolist())
    assert used == set(range(len(used)))
    assert len(used) <= min(n_groups or 10, distinct)
    assert (len(used) == 1) == (n_groups == 1 or distinct == 1)
    assert sorted(np.bincount(labels), reverse=True) == np.bincount(labels).tolist()
    assert (silhouette is None) == (len(used) < 2)
    assert silhouette is None or -1 <= silhouette <= 1
    for vector in vectors:
        assert len(set(labels[(vectors == vector).all(axis=1)].tolist())) == 1


@settings(max_examples=30)
@given(st.permutations(range(18)), st.none() | st.integers(2, 6))
def test_groups_do_not_depend_on_the_order_of_texts(permutation, n_groups):
    vectors = around(np.arange(18) % 5, spread=1.5)
    labels, silhouette = cluster(vectors, n_groups)
    shuffled, silhouette_too = cluster(vectors[permutation], n_groups)
    assert same_division(shuffled.tolist(), labels[permutation].tolist())
    assert silhouette == pytest.approx(silhouette_too, abs=1e-6)


def test_the_silhouette_is_sklearns():
    from sklearn.metrics import silhouette_score

    for spread in (0.5, 2, 4):
        vectors = around(np.arange(90) % 6, spread=spread)
        vectors = np.vstack([vectors, vectors[:20]])
        labels, silhouette = cluster(vectors, 7)
        expected = silhouette_score(vectors, labels, metric="cosine")
        assert silhouette == pytest.approx(float(expected), abs=1e-5)


def test_large_collections_are_grouped_from_a_sample(monkeypatch):
    of = np.random.default_rng(0).permutation(np.arange(600) % 6)
    vectors = around(of, spread=0.8)
    monkeypatch.setattr(clustering, "SAMPLE", 100)
    labels, silhouette = cluster(vectors)
    assert same_division(labels.tolist(), of.tolist())
    again, silhouette_again = cluster(vectors)
    assert (labels == again).all()
    assert silhouette == silhouette_again


def test_names_are_what_the_answers_say():
    labels = np.array([0, 0, 1, 1])
    answers = [says("cat", "pet"), says("cat", "animal"), says("dog", "pet"), says("dog")]
    assert name_groups(labels, answers) == ("cat", "dog")
    assert name_groups(labels, answers, words=2) == ("cat, animal", "dog, pet")


def test_what_every_group_says_names_none():
    labels = np.array([0, 1, 2])
    answers = [says("animal", "cat"), says("animal", "dog"), says("animal", "bird")]
    assert name_groups(labels, answers) == ("cat", "dog", "bird")


def test_a_large_group_does_not_take_the_word_of_a_small_one():
    labels = np.array([0] * 9 + [1])
    answers = [*[says("good", "cheap")] * 4, *[says("cheap")] * 5, says("good")]
    assert name_groups(labels, answers) == ("cheap", "good")


def test_case_is_ignored_and_the_usual_spelling_shown():
    labels = np.array([0, 0, 0, 1])
    answers = [says("paris", "NASA"), says("Paris"), says(" Paris "), says("rome")]
    assert name_groups(labels, answers) == ("Paris", "rome")


def test_shared_names_get_another_word():
    answers = [says("love", "like"), says("love", "adore")]
    answers = [
        (own[0]._replace(probability=0.9), own[1]._replace(probability=0.1)) for own in answers
    ]
    assert name_groups(np.array([0, 1]), answers) == ("love, like", "love, adore")


def test_at_last_a_number():
    labels = np.array([0, 1, 2, 3])
    assert name_groups(labels, [says("love")] * 4) == ("love", "love 2", "love 3", "love 4")
    answers = [says("love"), says("love"), says("love 2"), ()]
    assert name_groups(labels, answers) == ("love", "love 3", "love 2", "group 4")


def test_groups_without_answers_have_a_name():
    nothing = (Answer("  ", 0.9), Answer("never", 0.0))
    labels = np.array([0, 0, 1, 2])
    assert name_groups(labels, [says("a"), says("a"), (), nothing]) == ("a", "group 2", "group 3")
    assert name_groups(np.zeros(0, np.int32), []) == ()


WORDS = st.sampled_from(["love", "Love", "like", "love 2", "group 1", " ", "", "fear", "a, b"])
ANSWERS = st.lists(st.builds(Answer, WORDS, st.floats(0, 1)), max_size=4)


@given(st.lists(ANSWERS, min_size=1, max_size=8), st.integers(1, 3), st.data())
def test_names_are_different_and_never_empty(answers, words, data):
    labels = np.array([data.draw(st.integers(0, 3)) for _ in answers])
    names = name_groups(labels, answers, words=words)
    assert len(names) == labels.max() + 1
    assert len(set(names)) == len(names)
    assert all(name.strip() for name in names)
    assert name_groups(labels, answers, words=words) == names


def test_label_match_is_the_v_measure():
    labels = np.array([0, 0, 1, 1], np.int32)
    assert label_match(labels, ["x", "x", "y", "y"]) == 1
    assert label_match(labels, ["x", "y", "x", "y"]) == pytest.approx(0, abs=1e-9)
    # Pure groups, one label in two of them: homogeneity 1, completeness 2/3.
    assert label_match(np.array([0, 0, 1, 2]), ["x", "x", "y", "y"]) == pytest.approx(0.8)


def test_texts_without_a_label_are_left_out():
    labels = np.array([0, 0, 1, 1, 0], np.int32)
    assert label_match(labels, ["x", "x", "y", "", ""]) == 1
    assert label_match(labels, [""] * 5) == 0
    assert label_match(labels[:0], []) == 0
    assert label_match(labels, ("x",) * 5) == 0
    assert label_match(labels * 0, ("x",) * 5) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "x", "y", "é"])), max_size=12))
def test_label_match_is_a_share(pairs):
    labels = np.array([label for label, _ in pairs], np.int32)
    assert 0 <= label_match(labels, [given for _, given in pairs]) <= 1 + 1e-9
