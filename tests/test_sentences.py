"""The grammars that training sentences are written from."""

import copy
import random
import re
from collections import Counter

import pytest

from inbedder_core.recipes import sentences
from inbedder_core.recipes.sentences import Grammar

NAMES = sentences.names()
WORLD = {
    "facets": {
        "animal": {
            "ask": ["Which animal?"],
            "check": ["Is it about a {}?"],
            "say": {"owl": ["owl"], "dog": ["dog", "puppy"]},
        },
        "sound": {
            "ask": ["What does it say?"],
            "from": "animal",
            "of": {"owl": "hoo", "dog": "woof"},
        },
        "feeling": {
            "ask": ["How do they feel?"],
            "say": {"joy": {"s": ["I laughed"]}, "fear": {"s": ["I shook"]}},
        },
        "tense": {"ask": ["Which tense?"]},
    },
    "words": {"who": ["my aunt", "Tom"]},
    "sentences": [
        {"tense": "past", "say": ["{feeling.s} when {who} met a {animal}."]},
        {"tense": "future", "say": ["tomorrow {who} will see a {animal} . {feeling.s}"]},
    ],
}


@pytest.fixture
def world():
    return Grammar("world", WORLD)


@pytest.mark.parametrize("name", NAMES)
def test_every_grammar_writes_varied_clean_texts(name):
    grammar, rng = sentences.grammar(name), random.Random(1)
    examples = [e for _ in range(25) for e in grammar.crossing(rng, 4, 2)]
    texts = {example.text for example in examples}
    assert len(texts) > 0.9 * len(examples) / 2
    for example in examples:
        assert not re.search(r"[{}]|  | [,.;:!?]+(?= |$)", example.text), example.text
        assert not re.search(r"[{}]", example.question)
        assert example.answer.strip() == example.answer
        assert 1 <= len(example.answer.split()) <= 5, example.answer
    words = [len(text.split()) for text in texts]
    assert max(words) <= 90


@pytest.mark.parametrize("name", NAMES)
def test_every_facet_is_asked_in_many_wordings_and_at_some_time(name):
    grammar, rng = sentences.grammar(name), random.Random(2)
    facet_of = {wording: key for key, facet in grammar.facets.items() for wording in facet.ask}
    asked = Counter(
        facet_of.get(example.question)
        for _ in range(150)
        for example in grammar.crossing(rng, 4, 2)
    )
    assert asked.keys() >= grammar.facets.keys()
    assert all(len(facet.ask) >= 4 for facet in grammar.facets.values())
    assert len(grammar.facets) >= 4


def test_all_grammars_together_write_hundreds_of_thousands_of_texts():
    rng, draws = random.Random(3), 300
    seen = [sentences.grammar(name).write(rng).text for name in NAMES for _ in range(draws)]
    # With n equally likely texts, d draws meet about d² / 2n repetitions.
    repeated = len(seen) - len(set(seen))
    assert draws**2 * len(NAMES) / 2 / max(1, repeated) * len(NAMES) > 300_000


def test_same_seed_writes_the_same(world):
    one, two = (world.crossing(random.Random(7), 8, 2) for _ in range(2))
    assert one == two != world.crossing(random.Random(8), 8, 2)


def test_a_text_carries_what_is_wanted_and_says_what_it_carries(world):
    written = world.write(random.Random(0), {"animal": "owl", "tense": "past", "feeling": "fear"})
    assert re.fullmatch(r"I shook when (my aunt|Tom) met an owl\.", written.text)
    assert written.labels == {"animal": "owl", "sound": "hoo", "tense": "past", "feeling": "fear"}


def test_ways_are_counted(world):
    assert world.n_ways == 3 + 2 + 2  # animals, feelings, templates


def test_capitals_articles_and_spaces_are_tidied(world):
    written = world.write(random.Random(0), {"animal": "owl", "tense": "future"})
    assert re.match(r"Tomorrow (my aunt|Tom) will see an owl\. I (laughed|shook)$", written.text)


def test_a_facet_said_only_inside_the_phrases_of_another_is_asked_for_too(world):
    source = copy.deepcopy(WORLD)
    source["facets"]["feeling"]["say"]["joy"]["s"] = ["I laughed at the {colour} hat"]
    source["facets"]["colour"] = {"ask": ["Which colour?"], "say": ["red", "blue"]}
    assert (world.inner, Grammar("nested", source).inner) == ([], ["colour"])
    examples = Grammar("nested", source).crossing(random.Random(0), 60, 2)
    asked = [example for example in examples if example.facet == "colour"]
    assert 10 < len(asked) < 60
    assert all(example.answer in example.text for example in asked)


def test_crossing_asks_both_facets_of_every_text_and_mixes_their_values(world):
    examples = world.crossing(random.Random(4), 12, 2)
    assert len(examples) == 24
    pairs = list(zip(examples[::2], examples[1::2], strict=True))
    assert all(one.text == two.text and one.question != two.question for one, two in pairs)
    assert len({(one.answer, two.answer) for one, two in pairs}) >= 4


def test_yes_and_no_questions_are_answered_rightly(world):
    rng = random.Random(5)
    written = world.write(rng, {"animal": "owl"})
    asked = {world.ask(written, "animal", rng)[1:3] for _ in range(300)}
    assert asked >= {
        ("Which animal?", "owl"),
        ("Is it about an owl?", "yes"),
        ("Is it about a dog?", "no"),
    }
    assert all(answer == "owl" for question, answer in asked if "about" not in question)


def test_a_choice_offers_the_answer_among_others():
    rng, values = random.Random(0), ["red", "blue", "green", "white", "black", "pink"]
    for _ in range(50):
        question = sentences.offering("Which colour?", "red", values, rng)
        offered = [value for value in values if value in question]
        assert "red" in offered
        assert 2 <= len(offered) <= 5
        assert " or " in question
        assert question.endswith("?")
    assert sentences.offering("Which?", "red", ["red"], rng).endswith("red?")


def test_what_no_sentence_carries_is_an_error(world):
    with pytest.raises(LookupError, match="no sentence carries"):
        world.write(random.Random(0), {"tense": "present"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sentences": [{"say": ["a {whale}"]}]}, "unknown slot {whale}"),
        ({"sentences": [{"say": ["{feeling}"]}]}, "not every value of 'feeling' can be said"),
        ({"sentences": [{"mood": "x", "say": ["a {animal}"]}]}, r"unknown facets \['mood'\]"),
        ({"sentences": [{"say": ["a {Animal}"]}]}, "stray"),
        ({"facets": {"animal": {"ask": [], "say": ["cat"]}}}, "has no questions"),
    ],
)
def test_a_grammar_that_contradicts_itself_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Grammar("world", {**WORLD, **change})


def test_samples_can_be_read(capsys):
    sentences.main(["--grammar", NAMES[0], "--groups", "1"])
    assert capsys.readouterr().out.count("->") == 8
