"""Training data: what is read, and what a batch is made of."""

import gzip
import json
import random

import pytest

from inbedder_core.errors import InputError
from inbedder_core.recipes import mixture, sentences
from inbedder_core.recipes.mixture import Mixture, Source, read, rephrased, roughened
from inbedder_core.recipes.sentences import Example


def record(text="I fed the owl.", question="Which animal?", answer="owl"):
    return {"text": text, "question": question, "answer": answer, "license": "ours"}


def written(path, records):
    lines = "\n".join(map(json.dumps, records))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines, encoding="utf-8")
    return path


@pytest.fixture
def animals():
    texts = [(f"The {animal} no {n} ran.", animal) for n in range(20) for animal in ("owl", "dog")]
    questions = ("Which animal?", "animal")
    return Source("animals", [Example(t, q, animal) for t, animal in texts for q in questions])


@pytest.fixture
def verbs():
    texts = [(f"We {verb} it {n} times.", verb) for n in range(20) for verb in ("saw", "ate")]
    return Source("verbs", [Example(text, "Which verb?", verb) for text, verb in texts])


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz"])
def test_reads_records(tmp_path, name):
    records = [record(), record(question="What was done?", answer="feeding.")]
    source = read(written(tmp_path / name, records))
    assert source.name == "data"
    assert source.groups == [
        [
            Example("I fed the owl.", "Which animal?", "owl"),
            Example("I fed the owl.", "What was done?", "feeding"),
        ]
    ]


def test_leaves_out_what_teaches_nothing(tmp_path):
    useless = [
        record(answer="them"),
        record(answer=""),
        record(answer="far too many words for a short answer"),
        record(text=" "),
        record(question="why " * 40),
    ]
    assert read(written(tmp_path / "data.jsonl", [*useless, record()])).size == 1
    with pytest.raises(InputError, match="no usable record"):
        read(written(tmp_path / "useless.jsonl", useless))


@pytest.mark.parametrize("content", ["not json", '{"text": "no question"}', "[1]", '"text"'])
def test_other_files_are_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "data.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="must be a JSON object"):
        read(path)


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(InputError, match="nothing to train on"):
        Mixture([], [], 0.5, 0)


def test_a_batch_depends_on_seed_and_step_alone(animals, verbs):
    names = sentences.names()[:3]
    one = Mixture([animals, verbs], names, 0.5, seed=1)
    one.batch(0, 64)
    again = Mixture([animals, verbs], names, 0.5, seed=1)
    assert one.batch(5, 64) == again.batch(5, 64)
    assert len(one.batch(5, 64)) == 64
    assert one.batch(5, 64) != one.batch(6, 64)
    assert one.batch(5, 64) != Mixture([animals, verbs], names, 0.5, seed=2).batch(5, 64)


def test_a_text_comes_with_two_different_questions_where_it_has_them(animals, verbs):
    rng = random.Random(0)
    assert all(len({e.question for e in animals.draw(rng)}) == 2 for _ in range(50))
    assert all(len(verbs.draw(rng)) == 1 for _ in range(50))


def test_questions_with_a_closed_list_of_answers_offer_some_of_them(verbs):
    rng = random.Random(0)
    assert verbs.choices == {"Which verb?": ["ate", "saw"]}
    questions = {verbs.draw(rng)[0].question for _ in range(400)}
    assert "Which verb?" in questions
    assert {"Is it ate or saw?", "Is it saw or ate?"} & questions
    open_ended = Source("open", [Example(f"Text {n}", "What?", f"word{n}") for n in range(30)])
    assert open_ended.choices == {}


def test_texts_that_share_a_few_answers_and_have_another_question():
    moods = ("joy", "fear", "envy", "pride", "grief", "hope", "awe", "calm")
    texts = [(f"Scene {n} of {mood}", mood) for mood in moods for n in range(20)]
    asked = [("What mood?", "mood")[i % 2] for i, _ in enumerate(texts)]
    source = Source(
        "scenes",
        [
            *(Example(t, question, mood) for (t, mood), question in zip(texts, asked, strict=True)),
            *(Example(text, "Which scene?", text) for text, _ in texts),
            Example("Scene 9 of wrath", "mood", "wrath"),  # too rare to share
        ],
    )
    [closed] = source.closed  # two wordings are one question; "Which scene?" is open
    assert closed.keys() == {*moods}
    block = source.sharing(random.Random(0))
    assert len(block) == 2 * mixture.BLOCK_TEXTS
    assert all(a.text == b.text for a, b in zip(block[::2], block[1::2], strict=True))
    assert 2 <= len({example.answer for example in block[::2]}) <= mixture.BLOCK_VALUES
    assert all(example.answer.startswith("Scene") for example in block[1::2])


def test_a_source_without_closed_questions_shares_nothing(animals):
    open_ended = Source("open", [Example(f"Text {n}", "What?", f"word{n}") for n in range(30)])
    assert open_ended.closed == []
    assert Mixture([open_ended], [], 0.0, seed=0).batch(0, 32)


def test_share_of_own_sentences(animals):
    own = {"owl", "dog"}

    def share(own_share):
        batches = Mixture([animals], sentences.names()[:2], own_share, seed=0)
        examples = [e for step in range(40) for e in batches.batch(step, 128)]
        return sum(" no " not in e.text or "ran." not in e.text for e in examples) / len(examples)

    assert share(0.0) == 0
    assert share(1.0) == 1
    assert 0.35 < share(0.5) < 0.65
    assert own <= set(Mixture([animals], [], 0, 0).answers())


def test_joined_texts_hold_both_halves_and_ask_for_either(animals, verbs):
    batches = Mixture([animals, verbs], [], 0.0, seed=3)
    rng = random.Random(0)
    block = next(filter(None, (batches._joined(rng) for _ in range(100))))
    assert len(block) == 2 * mixture.BLOCK_TEXTS
    for first, second in zip(block[::2], block[1::2], strict=True):
        assert first.text == second.text
        assert first.answer in first.text
        assert second.answer in second.text
    assert len({example.answer for example in block}) >= 3


def test_every_answer_of_a_batch_is_announced(animals, verbs):
    batches = Mixture([animals, verbs], sentences.names(), 0.7, seed=4)
    announced = set(batches.answers())
    drawn = {e.answer for step in range(60) for e in batches.batch(step, 128)}
    assert drawn <= announced


def test_examples_of_a_block_that_were_asked_the_same_share_a_facet(verbs):
    batches = Mixture([verbs], sentences.names(), 0.5, seed=0)
    examples = [e for step in range(20) for e in batches.batch(step, 128)]
    assert any(not e.facet for e in examples)  # unknown, or a yes/no question
    for batch in (batches.batch(step, 128) for step in range(20)):
        by_facet = {}
        for i, each in enumerate(batch):
            by_facet.setdefault(each.facet, []).append(i)
        by_facet.pop("", None)
        assert by_facet
        assert all(max(own) - min(own) < 2 * mixture.BLOCK_TEXTS for own in by_facet.values())
        asked = [{batch[i].answer for i in own} for own in by_facet.values()]
        assert max(map(len, asked)) > 1


def test_rephrasing_keeps_the_words():
    rng = random.Random(0)
    variants = {rephrased("Which animal?", rng) for _ in range(300)}
    assert {"Which animal?", "Which animal", "In this text: Which animal?"} <= variants
    assert all("Which animal" in variant for variant in variants)


def test_roughening_changes_the_looks_and_keeps_the_words():
    rng = random.Random(0)
    text = "The nurse has phoned Berlin about the parcel."
    variants = [roughened(text, rng) for _ in range(400)]
    assert 0.5 < variants.count(text) / 400 < 0.8
    assert any(" #" in variant or variant.startswith("#") for variant in variants)
    assert any("http://t.co/" in variant for variant in variants)
    assert text.lower() in [variant.lower() for variant in variants if variant != text]
    for variant in variants:  # at most one word is mistyped
        words = {word.strip("#.!:)") for word in variant.lower().split()}
        assert len({*text.lower().rstrip(".").split()} - words) <= 1
    assert roughened("", rng) == ""


def test_both_questions_see_the_same_roughened_text():
    [name] = [name for name in sentences.names() if name == "headlines"]
    batch = Mixture([], [name], 1.0, seed=0).batch(0, 64)
    assert all(a.text == b.text for a, b in zip(batch[::2], batch[1::2], strict=True))
