import random
import tomllib
from collections import Counter

import pytest

from inbedder_core.recipes.labels import LABELS, Collection, Labelled, collections, digest
from inbedder_core.recipes.mixture import MAX_QUESTION_WORDS, Mixture

ASKS = {"animal": ["Which animal?", "animal"], "mood": ["Which mood?"], "place": ["Where?"]}
TEXTS = [
    Labelled(
        f"{animal} {mood} {i}",
        {"animal": animal, "mood": mood},
        (("What is the number?", str(i)),),
    )
    for animal in ("cat", "dog")
    for mood in ("glad", "sad")
    for i in range(4)
]


@pytest.mark.parametrize("path", sorted(LABELS.glob("*.tsv")), ids=lambda path: path.stem)
def test_every_line_answers_its_collections_facets(path):
    asks = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))["facets"]
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        text, *rest = line.split("\t")
        assert text
        assert len(asks) <= len(rest) <= len(asks) + 2, line
        assert all(cell.strip() == cell != "" for cell in rest), line
        assert all(cell.count(" = ") == 1 for cell in rest[len(asks) :]), line
    assert len({line.split("\t")[0] for line in lines}) == len(lines), "a text stands twice"
    for facet, wordings in asks.items():
        assert len(set(wordings)) == len(wordings) >= 3, facet
        assert all(len(wording.split()) <= MAX_QUESTION_WORDS for wording in wordings)


def test_texts_that_are_not_ours_come_from_their_source():
    ours = {text.text for each in collections([]) for text in each.texts}
    assert ours
    assert not any(text.startswith("sha256:") for text in ours)
    path = LABELS / "social.tsv"
    assert all(line.startswith("sha256:") for line in path.read_text(encoding="utf-8").splitlines())
    assert digest("a text") == digest("a text") != digest("another")


def test_a_block_shares_answers_and_asks_each_text_twice():
    collection = Collection(ASKS, TEXTS)
    assert set(collection.by_answer) == {"animal", "mood"}  # nobody says where
    labels = {text.text: text for text in TEXTS}
    seconds: Counter[str] = Counter()
    for seed in range(50):
        block = collection.crossing(random.Random(seed), 8, 5)
        assert block == collection.crossing(random.Random(seed), 8, 5)
        assert len(block) == 16
        assert len({one.facet for one in block[::2]}) == 1
        for one, two in zip(block[::2], block[1::2], strict=True):
            assert one.text == two.text
            assert one.answer == labels[one.text].answers[one.facet]
            if two.facet:
                assert two.answer == labels[two.text].answers[two.facet]
            else:
                assert (two.question, two.answer) in labels[two.text].own
            seconds[two.facet] += 1
    assert min(seconds[""], seconds["animal"], seconds["mood"]) > 50


def test_a_mixture_draws_the_share_it_is_told_and_knows_all_answers():
    collection = Collection(ASKS, TEXTS)
    mixture = Mixture([], ["small_talk"], 0.5, 0, [collection], 0.4)
    assert {"cat", "glad", "3"} <= set(mixture.answers())
    ours = {text.text for text in TEXTS}
    drawn = [each.text in ours for step in range(30) for each in mixture.batch(step, 128)]
    assert 0.3 < sum(drawn) / len(drawn) < 0.5
