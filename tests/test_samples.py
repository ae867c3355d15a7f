"""The samples are complete, balanced and varied."""

import itertools
import re
from collections import Counter

import pytest

from inbedder_core import samples, texts
from inbedder_core.errors import InputError

SAMPLE_FILES = sorted(samples.FOLDER.glob("*.json"))


def words(text):
    return set(re.findall(r"\w+", text.lower()))


def alike(a, b):
    return len(words(a) & words(b)) / len(words(a) | words(b))


def test_there_are_at_least_ten_samples():
    assert len(SAMPLE_FILES) >= 10


def test_pets_come_first_and_the_others_by_title():
    first, *others = samples.samples()
    assert first.name == "pets"
    assert [one.title for one in others] == sorted(one.title for one in others)
    assert samples.samples() is samples.samples()
    assert samples.sample("pets") is first


def test_unknown_sample():
    with pytest.raises(InputError, match="Choose one of: pets"):
        samples.sample("unicorns")


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
def test_sample(path):
    sample = samples.sample(path.stem)
    texts.check(sample.collection.texts)
    facets = sample.collection.labels
    assert sample.name == path.stem
    assert all((sample.title, sample.emoji, sample.description, *sample.bad_instruction))
    assert 24 <= len(sample.collection) <= 60
    assert len(facets) >= 2
    assert len(sample.instructions) >= 3
    assert all(instruction.strip() for instruction, _ in sample.instructions)
    assert {facet for _, facet in sample.instructions} <= facets.keys()
    assert sample.bad_instruction[0] not in dict(sample.instructions)


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
def test_sample_has_every_label_and_no_facet_is_one_sided(path):
    sample = samples.sample(path.stem)
    for facet, labels in sample.collection.labels.items():
        counts = Counter(labels)
        assert "" not in counts, facet
        assert 2 <= len(counts) <= 8, facet
        assert counts.most_common(1)[0][1] < 0.6 * len(labels), facet


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
def test_sample_has_no_near_duplicates(path):
    pairs = itertools.combinations(samples.sample(path.stem).collection.texts, 2)
    assert [pair for pair in pairs if alike(*pair) > 0.6] == []
