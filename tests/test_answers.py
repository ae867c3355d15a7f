"""Pieces of words become words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from inbedder_core.answers import AnswerReader
from inbedder_core.registry import BUNDLED

TOKENIZER = AutoTokenizer.from_pretrained(BUNDLED.source)
READER = AnswerReader(TOKENIZER)


def ids(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


def read(pieces, text="", top_k=5):
    tokens = TOKENIZER.convert_tokens_to_ids(list(pieces))
    answers = READER.read(tokens, list(pieces.values()), ids(text), top_k)
    return [(a.text, round(a.probability, 4)) for a in answers]


def test_whole_words_stay():
    assert read({"cat": 0.9, "dog": 0.05}, "I love cats") == [("cat", 0.9), ("dog", 0.05)]


def test_pieces_of_one_word_of_the_text_are_joined():
    assert read({"su": 0.5, "##shi": 0.4, "rice": 0.1}, "We had sushi") == [
        ("sushi", 0.9),
        ("rice", 0.1),
    ]


def test_neighbouring_words_of_the_text_are_a_phrase_if_alike():
    assert read({"york": 0.5, "new": 0.4}, "Off to New York now") == [("new york", 0.9)]
    assert read({"cat": 0.9, "love": 0.1}, "I love cat food") == [("cat", 0.9), ("love", 0.1)]


def test_what_is_no_word_is_left_out():
    pieces = {"##shi": 0.3, "[SEP]": 0.2, ".": 0.1, "the": 0.1, "[unused7]": 0.1, "cat": 0.05}
    assert read(pieces) == [("cat", 0.05)]


def test_articles_do_not_join_a_phrase():
    assert read({"cat": 0.5, "the": 0.4, "s": 0.1, "and": 0.1}, "the cat sat") == [("cat", 0.5)]


def test_at_most_top_k():
    assert read({"cat": 0.5, "dog": 0.4}, top_k=1) == [("cat", 0.5)]
    assert read({}) == []


@given(
    st.lists(st.integers(0, 30_521), unique=True, max_size=30),
    st.lists(st.integers(999, 30_521), max_size=30),
)
def test_any_tokens_give_different_words_in_order(token_ids, text_ids):
    share = 1 / max(1, len(token_ids))
    answers = READER.read(token_ids, [share] * len(token_ids), text_ids, top_k=20)
    words = [a.text.casefold() for a in answers]
    assert len(set(words)) == len(words)
    assert all(any(c.isalnum() for c in word) for word in words)
    probabilities = [a.probability for a in answers]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1 + 1e-6


@pytest.mark.parametrize(("kind", "text"), [("bpe", "I love cats"), ("unigram", "I love cats")])
def test_other_vocabularies(kind, text):
    from tiny import tokenizer

    words = tokenizer(kind, type_ids=False)
    tokens = words.encode(text, add_special_tokens=False)
    answers = AnswerReader(words).read(tokens, [1 / len(tokens)] * len(tokens), tokens)
    assert answers[0].text.casefold() == "love cats"
