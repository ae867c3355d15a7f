"""What the bundled checkpoint must be able to do: its card's promise, on texts of many kinds."""

import itertools
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from inbedder_core.clustering import cluster, label_match
from inbedder_core.comparison import agreement, moved
from inbedder_core.samples import sample, samples
from inbedder_core.similarity import neighbors, unit_vectors

WORDINGS = ["What {} is mentioned?", "Which {} is it about?", "{}"]
EMOTION = ["What emotion is expressed?", "How does the writer feel?", "emotion"]

FEELINGS = [
    ("love", "dislike"),
    ("adore", "hate"),
    ("enjoy", "can't stand"),
    ("like", "detest"),
    ("am crazy about", "am sick of"),
    ("really love", "really hate"),
    ("am delighted with", "am fed up with"),
]

# Of every kind: how one speaks about it, and pairs of words.
KINDS = {
    "animal": ("I {} {}!", "cats/dogs, horses/rabbits, elephants/penguins, wolves/bears"),
    "bird": ("I {} {}.", "parrots/owls, pigeons/swans, crows/robins"),
    "insect": ("I {} {}!", "bees/butterflies, ants/crickets"),
    "food": ("I {} {}!", "pizza/sushi, bread/cheese, noodles/soup, sausages/pancakes"),
    "fruit": ("I {} {}.", "apples/bananas, oranges/cherries, strawberries/grapes, lemons/peaches"),
    "vegetable": ("I {} {}.", "carrots/spinach, onions/potatoes, cabbage/tomatoes"),
    "dessert": ("I {} {} after dinner!", "ice cream/apple pie, chocolate cake/pudding"),
    "spice": ("I {} {} in my food.", "pepper/cinnamon, ginger/garlic"),
    "drink": ("I {} {}!", "coffee/tea, beer/wine, milk/lemonade, whisky/cocoa"),
    "sport": ("I {} {}!", "football/tennis, swimming/boxing, golf/basketball, hockey/skiing"),
    "game": ("I {} playing {}.", "chess/poker, scrabble/monopoly, dominoes/bingo"),
    "hobby": ("I {} {}!", "gardening/fishing, knitting/photography, cooking/dancing"),
    "city": ("I {} {}!", "Paris/London, Tokyo/Berlin, New York/Rome, Moscow/Sydney"),
    "country": ("I {} {}.", "France/Japan, Brazil/Canada, Italy/Egypt, India/Norway"),
    "place": ("I {} {}.", "the beach/the forest, the library/the gym, the office/the park"),
    "language": ("I {} {}.", "learning French/learning German, speaking Spanish/speaking Russian"),
    "colour": ("I {} the colour {}.", "red/blue, green/yellow, pink/black, purple/orange"),
    "instrument": ("I {} the {}!", "piano/violin, guitar/flute, drums/trumpet, cello/saxophone"),
    "music": ("I {} {}!", "jazz/opera, rap/folk, rock/classical music"),
    "school subject": (
        "I {} {} lessons.",
        "maths/history, biology/geography, physics/art, chemistry/English",
    ),
    "vehicle": ("I {} travelling by {}.", "train/bus, car/bicycle, plane/ship, tram/motorcycle"),
    "season": ("I {} {}!", "winter/summer, autumn/spring"),
    "weather": ("I {} the {}.", "rain/snow, wind/sunshine, fog/heat"),
    "month": ("I {} {}.", "January/July, April/November"),
    "day": ("I {} {}!", "Mondays/Saturdays, Fridays/Sundays"),
    "holiday": ("I {} {}!", "Christmas/Halloween, Easter/Thanksgiving"),
    "profession": (
        "I {} being a {}.",
        "teacher/nurse, lawyer/farmer, waiter/driver, baker/soldier",
    ),
    "clothing": ("I {} my new {}!", "shoes/jacket, hat/dress, trousers/gloves"),
    "furniture": ("I {} this {}.", "sofa/table, bed/wardrobe"),
    "device": ("I {} my {}!", "phone/laptop, camera/television, printer/radio"),
    "flower": ("I {} {}!", "roses/tulips, lilies/daisies"),
    "film genre": ("I {} {}.", "comedies/horror films, westerns/musicals"),
    "family member": (
        "I {} my {}!",
        "brother/grandmother, uncle/daughter, wife/cousin",
    ),
}
PAIRS = [
    (kind, sentence, *words.split("/"))
    for kind, (sentence, pairs) in KINDS.items()
    for words in pairs.split(", ")
]

ACCEPTED = json.loads((Path(__file__).parent / "accepted_answers.json").read_text("utf-8"))

# Facets without an answer to check: feelings, tones and judgements, and what is asked by yes or no.
NOT_FACTUAL = {
    "films": {"verdict"},
    "letters": {"purpose"},
    "news": {"tone"},
    "pets": {"feeling"},
    "restaurants": {"sentiment"},
    "sports": {"reaction", "result"},
    "support": {"mood"},
    "travel": {"mood"},
    "weather": {"mood"},
}


@pytest.fixture(scope="module")
def encodings(encoder):
    """What the checkpoint makes of every sample under every instruction of it."""
    return {
        (one.name, instruction): encoder(one.collection.texts, instruction, top_k=1)
        for one in samples()
        for instruction, _ in one.instructions
    }


def first_instruction(one, facet):
    return next(instruction for instruction, asked in one.instructions if asked == facet)


def words(answer):
    """The words of an answer, so that "car" is not found in "carriage"."""
    return " ".join(["", *re.findall(r"\w+", answer.casefold()), ""])


def accepts(labels, label, answer):
    """The answer is an accepted one, or a phrase around one ("piano teacher"), and no other's."""
    named = {
        one
        for one, accepted in labels.items()
        if any(words(word) in words(answer) for word in accepted)
    }
    return named == {label}


# --- the card's use case ---------------------------------------------------------------------


def test_the_cards_example_holds_by_far(encoder):
    texts = ["I love cat!", "I love dog!", "I dislike cat!"]
    animal = encoder.encode(texts, "What is the animal mentioned here?", normalize=True)
    emotion = encoder.encode(texts, "What is emotion expressed here?", normalize=True)
    assert animal[0] @ animal[2] >= animal[0] @ animal[1] + 0.15
    assert emotion[0] @ emotion[1] >= emotion[0] @ emotion[2] + 0.15


def test_there_are_a_hundred_pairs():
    assert len({frozenset(pair[2:]) for pair in PAIRS}) == len(PAIRS) == 100


def test_the_cards_example_holds_for_a_hundred_pairs_in_three_wordings_of_both_questions(encoder):
    asked = []
    for number, (kind, sentence, word, other) in enumerate(PAIRS):
        likes, dislikes = FEELINGS[number % len(FEELINGS)]
        texts = [sentence.format(*of) for of in ((likes, word), (likes, other), (dislikes, word))]
        for question in (*(wording.format(kind) for wording in WORDINGS), *EMOTION):
            asked += [(text, question) for text in texts]
    rows = encoder.encode(*zip(*asked, strict=True), normalize=True)
    vectors = rows.reshape(len(PAIRS), len(WORDINGS) + len(EMOTION), 3, -1)
    same_feeling = (vectors[:, :, 0] * vectors[:, :, 1]).sum(-1)
    same_word = (vectors[:, :, 0] * vectors[:, :, 2]).sum(-1)
    margins = same_word - same_feeling  # (pairs, questions)
    margins[:, len(WORDINGS) :] *= -1
    failed = []
    for (kind, _, word, other), row in zip(PAIRS, margins, strict=True):
        questions = [*(wording.format(kind) for wording in WORDINGS), *EMOTION]
        missed = [f"{q!r} {m:+.2f}" for q, m in zip(questions, row, strict=True) if m <= 0]
        if missed:
            failed.append(f"{word}/{other}: {', '.join(missed)}")
    held = len(PAIRS) - len(failed)
    assert held >= 95, f"{held} of {len(PAIRS)} pairs hold, not:\n" + "\n".join(failed)


# --- answers ---------------------------------------------------------------------------------


def test_every_label_of_every_factual_facet_has_accepted_answers():
    for one in samples():
        labels = {facet: set(given) for facet, given in one.collection.labels.items()}
        factual = labels.keys() - NOT_FACTUAL.get(one.name, set())
        assert ACCEPTED[one.name].keys() == factual, one.name
        for facet in factual:
            assert ACCEPTED[one.name][facet].keys() == labels[facet], (one.name, facet)
            assert any(asked == facet for _, asked in one.instructions), (one.name, facet)
    assert ACCEPTED.keys() == {one.name for one in samples()}
    for name, facets in NOT_FACTUAL.items():
        assert facets <= sample(name).collection.labels.keys(), name


def test_no_accepted_answer_fits_two_labels():
    for name, facets in ACCEPTED.items():
        for facet, labels in facets.items():
            for label, accepted in labels.items():
                for word in accepted:
                    assert word == word.casefold() != "", (name, facet, word)
                    assert accepts(labels, label, word), (name, facet, word)


def test_the_top_answer_is_an_accepted_one_for_most_texts(encodings):
    table, right, total = [], 0, 0
    for name, facets in ACCEPTED.items():
        for facet, labels in facets.items():
            instruction = first_instruction(sample(name), facet)
            given = sample(name).collection.labels[facet]
            answers = [row[0].text if row else "" for row in encodings[name, instruction].answers]
            missed = Counter(
                f"{label}: {answer}"
                for label, answer in zip(given, answers, strict=True)
                if not accepts(labels, label, answer)
            )
            hits = len(given) - missed.total()
            right, total = right + hits, total + len(given)
            table.append(
                f"{name:12}{facet:12}{hits:3} of {len(given)}   {instruction}   ("
                + ", ".join(f"{what} x{n}" for what, n in missed.most_common(5))
                + ")"
            )
    assert right / total >= 0.70, f"{right} of {total} = {right / total:.3f}:\n" + "\n".join(table)


# --- masks and wordings ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pets", "jobs"])
def test_the_number_of_masks_changes_little(encoder, name):
    one = sample(name)
    for facet in list(one.collection.labels)[:2]:
        labels = one.collection.labels[facet]
        instruction = first_instruction(one, facet)
        rows = {
            n: unit_vectors(encoder.encode(one.collection.texts, instruction, n), centered=True)
            for n in range(1, 6)
        }
        near = {n: neighbors(rows[n], 5)[0] for n in rows}
        for n in rows:
            groups, _ = cluster(rows[n], len(set(labels)))
            assert label_match(groups, labels) > 0.8, (facet, n)
            assert (rows[n] * rows[3]).sum(1).mean() > 0.95, (facet, n)
            assert moved(near[n], near[3]).mean() < 0.25, (facet, n)


def test_two_wordings_agree_more_than_two_questions_on_most_samples(encodings):
    held, table = 0, []
    for one in samples():
        rows = {
            instruction: unit_vectors(encodings[one.name, instruction].embeddings, centered=True)
            for instruction, _ in one.instructions
        }
        same, different = [], []
        for (a, facet), (b, other) in itertools.combinations(one.instructions, 2):
            (same if facet == other else different).append(agreement(rows[a], rows[b]))
        held += min(same) > max(different)
        table.append(f"{one.name:12} same {np.round(same, 2)}, different {np.round(different, 2)}")
    assert held >= 10, f"{held} of {len(samples())} samples hold:\n" + "\n".join(table)
