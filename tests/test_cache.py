"""The cache gives what the encoder gives, and asks it only for what is new."""

import numpy as np
import pytest
from tiny import tiny_encoder

from inbedder_core.cache import CachedEncoder, Memo
from inbedder_core.schema import ModelSpec

TEXTS = ["I love cats", "I love dogs", "I love cats", ""]


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self, encoder):
        self.encoder, self.asked = encoder, []

    @property
    def spec(self) -> ModelSpec:
        return self.encoder.spec

    def __call__(self, texts, instruction, n_masks=3, **options):
        self.asked.append(list(texts))
        return self.encoder(texts, instruction, n_masks, **options)


@pytest.fixture
def counting():
    return Counting(tiny_encoder("bert"))


def same(a, b):
    np.testing.assert_allclose(a.embeddings, b.embeddings, atol=1e-5)
    assert [[w.text for w in row] for row in a.answers] == [
        [w.text for w in row] for row in b.answers
    ]
    np.testing.assert_array_equal(a.truncated, b.truncated)


def test_only_what_is_new_is_computed(counting):
    cached = CachedEncoder(counting)
    same(cached(TEXTS, "What?"), counting.encoder(TEXTS, "What?"))
    same(cached([*TEXTS, "A bird"], "What?"), counting.encoder([*TEXTS, "A bird"], "What?"))
    same(cached(TEXTS, " What? "), counting.encoder(TEXTS, "What?"))
    assert counting.asked == [["I love cats", "I love dogs", ""], ["A bird"]]


def test_every_argument_is_part_of_the_key(counting):
    cached = CachedEncoder(counting)
    cached(["a"], "What?")
    cached(["a"], "Who?")
    cached(["a"], "What?", 2)
    cached(["a"], "What?", top_k=1)
    assert len(counting.asked) == 4


def test_bounded_in_bytes_and_still_right(counting):
    one = CachedEncoder(counting.encoder)
    one(["text 0"], "What?")
    assert 32 * 4 < one.size < 32 * 4 + 2_000  # an embedding and five answers
    row = one.size
    cached = CachedEncoder(counting, max_bytes=2 * row + 100)
    many = [f"text {i}" for i in range(7)]
    same(cached(many, "What?"), counting.encoder(many, "What?"))
    assert cached.size <= 2 * row + 100
    cached(many[-2:], "What?")
    assert len(counting.asked) == 1
    cached(many[:1], "What?")
    assert len(counting.asked) == 2


def test_holds_no_text(counting):
    cached = CachedEncoder(counting)
    cached(["my secret text"], "my secret question?", top_k=0)
    assert "secret" not in repr(cached._entries)


def test_no_text(counting):
    assert CachedEncoder(counting)([], "What?").embeddings.shape == (0, 32)


def doubled(array, by=2, names=()):
    return array * by


def test_a_memo_computes_again_only_what_has_changed():
    memo, numbers = Memo(), np.arange(6, dtype=np.float32)
    first = memo(doubled, numbers)
    assert memo(doubled, numbers.copy()) is first
    assert memo.computed == {"doubled": 1}
    for changed in (
        {"array": numbers.reshape(2, 3)},
        {"array": numbers.astype(np.float64)},
        {"array": numbers[::-1]},
        {"array": numbers, "by": 3},
        {"array": numbers, "names": ("a", "b")},
        {"array": numbers, "names": ("a, b",)},
    ):
        np.testing.assert_array_equal(memo(doubled, **changed), doubled(**changed))
    assert memo.computed == {"doubled": 7}
    np.testing.assert_array_equal(memo(np.hstack, [numbers, numbers]), np.tile(numbers, 2))
    assert len(memo(np.hstack, [numbers, numbers, numbers])) == 18


def test_a_memo_forgets_the_least_recently_used():
    memo = Memo(max_bytes=100)
    one, two, three = (np.full(10, i, np.float32) for i in range(3))
    memo(doubled, one)
    memo(doubled, two)
    memo(doubled, one)
    memo(doubled, three)  # two must go
    assert memo.size == 80
    memo(doubled, one)
    assert memo.computed["doubled"] == 3
    memo(doubled, two)
    assert memo.computed["doubled"] == 4
    assert len(memo(doubled, np.ones(1000))) == 1000
    assert memo.size == 8000  # alone, as too large for the rest


def test_a_memo_keeps_no_text():
    memo = Memo()
    memo(doubled, np.ones(2), names=("a private text",))
    assert "private" not in repr(vars(memo))
