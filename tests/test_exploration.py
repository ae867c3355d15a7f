"""The product in one call: real texts, the bundled checkpoint, bad input."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from inbedder_core.cache import CachedEncoder, Memo
from inbedder_core.errors import Cancelled, InputError
from inbedder_core.exploration import explore, finding, reorder
from inbedder_core.export import from_dict, to_dict
from inbedder_core.schema import Collection, Settings

ANIMALS = ["cat", "dog", "horse", "parrot"]
FEELINGS = {
    "joy": ["What a joy it is to wake up beside my {}!", "We laughed all day with our happy {}."],
    "sadness": ["My {} died last week and I can't stop crying.", "I miss the {} we had, so sad."],
    "anger": ["That {} next door makes me furious!", "I am so angry: the {} broke my window."],
}
TEXTS = [s.format(a) for sentences in FEELINGS.values() for s in sentences for a in ANIMALS]
LABELS = {
    "animal": tuple(a for sentences in FEELINGS.values() for _ in sentences for a in ANIMALS),
    "feeling": tuple(f for f, sentences in FEELINGS.items() for _ in sentences for _ in ANIMALS),
}
QUESTIONS = ["What animal is mentioned?", "What emotion is expressed?"]


@pytest.fixture(scope="module")
def result(encoder):
    return explore(Collection(tuple(TEXTS), LABELS), QUESTIONS, encoder=encoder)


def test_the_same_texts_group_by_what_is_asked(result):
    animal, feeling = result.views
    assert animal.label_match["animal"] > 0.8
    assert animal.label_match["feeling"] < 0.3
    assert feeling.label_match["feeling"] > 0.5
    assert feeling.label_match["animal"] < 0.3
    assert {"dog", "horse"} <= set(animal.clustering.names)


def test_shapes(result):
    n = len(TEXTS)
    assert sorted(result.order.tolist()) == list(range(n))
    for view in result.views:
        assert view.encoding.embeddings.shape == (n, 384)
        assert view.projection.xy.shape == (n, 2)
        assert view.heatmap.shape == (n, n)
        assert view.neighbors.shape == view.neighbor_similarity.shape == (n, 10)
        assert len(view.encoding.answers) == n
    [comparison] = result.comparisons
    assert (comparison.a, comparison.b) == (0, 1)
    assert comparison.agreement < 0.5
    assert comparison.moved.mean() > 0.3


def test_every_heatmap_is_the_cosine_in_the_shared_order(result):
    for view in result.views:
        v = view.encoding.embeddings
        v = v / np.linalg.norm(v, axis=1, keepdims=True)
        expected = (v @ v.T)[np.ix_(result.order, result.order)]
        np.testing.assert_allclose(view.heatmap, expected, atol=1e-5)


def test_the_same_input_gives_the_same_output(result, encoder):
    again = explore(Collection(tuple(TEXTS), LABELS), QUESTIONS, encoder=encoder)
    assert to_dict(again, embeddings=True) == to_dict(result, embeddings=True)


def test_reorder_changes_order_and_heatmaps_only(result):
    other = reorder(result, 1)
    assert other.settings.sort_by == 1
    for before, after in zip(result.views, other.views, strict=True):
        back = np.argsort(other.order)[result.order]
        np.testing.assert_allclose(after.heatmap[np.ix_(back, back)], before.heatmap, atol=1e-6)
        assert after.projection is before.projection
    with pytest.raises(InputError, match="number 3"):
        reorder(result, 2)


def test_findings_are_sentences_about_the_groups(result):
    for index, view in enumerate(result.views):
        sentence = finding(result, index)
        assert sentence.startswith(f"{len(view.clustering.names)} groups")
        assert all(name in sentence for name in view.clustering.names)
        assert sentence.endswith(".")
    assert "“animal”" in finding(result, 0)


def test_saved_and_read_back(result):
    data = json.loads(json.dumps(to_dict(result, embeddings=True), allow_nan=False))
    read = from_dict(data)
    assert to_dict(read, embeddings=True) == to_dict(result, embeddings=True)
    assert read.collection == result.collection
    with pytest.raises(InputError, match="embeddings=True"):
        from_dict(to_dict(result))


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("projection", ["umap", "pca", "mds"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
def test_few_texts(encoder, n, projection, centered):
    settings = Settings(projection=projection, centered=centered)
    result = explore(TEXTS[:n], QUESTIONS, encoder=encoder, settings=settings)
    for index, view in enumerate(result.views):
        assert np.isfinite(view.projection.xy).all()
        assert np.isfinite(view.heatmap).all()
        assert finding(result, index)
    json.dumps(to_dict(result), allow_nan=False)


def test_identical_texts(encoder):
    result = explore(["I love cats!"] * 200, QUESTIONS, encoder=encoder)
    for index, view in enumerate(result.views):
        assert np.isfinite(view.projection.xy).all()
        assert len(view.clustering.names) == 1
        np.testing.assert_allclose(view.heatmap, 1, atol=1e-5)
        assert finding(result, index).startswith("All 200 texts look the same")


@pytest.mark.parametrize("texts", [["a", "a", "b", "c"], ["Great!", "great!", "GREAT!", "Bad"]])
def test_few_texts_with_duplicates(encoder, texts):
    result = explore(texts, QUESTIONS, encoder=encoder)
    for view in result.views:
        groups = view.clustering.labels
        assert groups[0] == groups[1]
        assert len(set(groups.tolist())) > 1


def test_odd_texts(encoder):
    texts = [
        "<mask>",
        "[MASK] [SEP] [CLS]",
        "<img src=x onerror=alert(1)>",
        "🐈🐕 😀",
        "הכלב שלי שמח מאוד היום",
        "x" * 50_000,
        "The cat sat. " * 3900,
        "a",
    ]
    result = explore(texts, ["What animal?", "<img src=x onerror=alert(2)>"], encoder=encoder)
    assert result.collection.texts == tuple(texts)
    assert result.views[0].encoding.truncated.tolist() == [False] * 5 + [False, True, False]
    json.dumps(to_dict(result), allow_nan=False)


@pytest.mark.parametrize(
    ("texts", "instructions", "message"),
    [
        ([], QUESTIONS, "There is no text yet"),
        (["", "  "], QUESTIONS, "There is no text yet"),
        (["a"] * 10_001, QUESTIONS, "10,001 texts are too many"),
        ("one string", QUESTIONS, "must be a list of strings"),
        ([1, None], QUESTIONS, "must be a list of strings"),
        (TEXTS, [], "There is no instruction yet"),
        (TEXTS, ["", " "], "There is no instruction yet"),
        (TEXTS, ["What?", " "], "An instruction is empty"),
        (TEXTS, ["What?", "What? "], "are the same"),
        (TEXTS, ["a", "b", "c", "d", "e"], "5 instructions are too many"),
    ],
)
def test_what_cannot_be_explored_is_refused_with_a_sentence(encoder, texts, instructions, message):
    with pytest.raises(InputError, match=message):
        explore(texts, instructions, encoder=encoder)


@pytest.mark.parametrize(
    "setting", [{"n_groups": 0}, {"n_groups": 1000}, {"n_masks": 11}, {"projection": "tsne"}]
)
def test_settings_out_of_range_are_refused(encoder, setting):
    with pytest.raises(InputError):
        explore(TEXTS, QUESTIONS, encoder=encoder, settings=replace(Settings(), **setting))


def test_a_setting_of_umap_is_refused_whatever_draws_the_map(encoder):
    with pytest.raises(InputError, match="at least 2 neighbours"):
        explore(
            TEXTS[:5], "Why?", encoder=encoder, settings=Settings(n_neighbors=1, projection="pca")
        )


def test_the_number_of_groups_can_be_given(encoder):
    result = explore(TEXTS, QUESTIONS[0], encoder=encoder, settings=Settings(n_groups=4))
    assert len(result.views[0].clustering.names) == 4


def test_progress_is_told_and_stops_the_work(encoder):
    seen = []

    def on_stage(stage: str, share: float) -> None:
        seen.append(share)
        if len(seen) == 3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        explore(TEXTS, QUESTIONS, encoder=encoder, on_stage=on_stage)
    assert len(seen) == 3
    seen.clear()
    explore(TEXTS, QUESTIONS, encoder=encoder, on_stage=lambda stage, share: seen.append(share))
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] <= 1


def test_maps_are_aligned(result):
    for view in result.views:
        np.testing.assert_allclose(view.projection.xy.mean(0), 0, atol=1e-3)
    first, second = (np.linalg.norm(v.projection.xy, axis=1) for v in result.views)
    assert np.sqrt((first**2).mean()) == pytest.approx(np.sqrt((second**2).mean()), rel=1e-3)


def test_only_what_depends_on_a_change_is_computed_again(encoder):
    memo, cached = Memo(), CachedEncoder(encoder)
    collection, before = Collection(tuple(TEXTS), LABELS), Counter()

    def newly_computed(questions, **changes):
        nonlocal before
        settings = replace(Settings(projection="pca"), **changes)
        shown = explore(collection, questions, encoder=cached, settings=settings, memo=memo)
        new, before = memo.computed - before, memo.computed.copy()
        alone = explore(collection, questions, encoder=cached, settings=settings)
        assert to_dict(shown) == to_dict(alone)  # whatever was remembered
        return new

    view = {"neighbors": 1, "cluster": 1, "name_groups": 1, "label_match": 2}
    view |= {"nearest_rows": 1, "_project": 1}
    drawing = {"leaf_order": 1, "heatmap": 1}
    assert newly_computed(QUESTIONS[:1]) == view | drawing
    assert not newly_computed(QUESTIONS[:1])
    # Another instruction: its own view and the comparison; the order is still the first one's.
    assert newly_computed(QUESTIONS) == view | {"agreement": 1, "moved": 1, "heatmap": 1}
    assert newly_computed(QUESTIONS, sort_by=None) == {"leaf_order": 1, "heatmap": 2}
    assert not newly_computed(QUESTIONS)
    groups = newly_computed(QUESTIONS, n_groups=7)
    assert groups == {"cluster": 2, "name_groups": 2, "label_match": 4}
    assert newly_computed(QUESTIONS, projection="mds") == {"_project": 2}
    assert not newly_computed(QUESTIONS, projection="mds", min_dist=0.5)
    umap = newly_computed(QUESTIONS, projection="umap")
    assert umap == {"nearest_rows": 2, "_project": 2}
    assert newly_computed(QUESTIONS, projection="umap", min_dist=0.5) == {"_project": 2}
    centred = newly_computed(QUESTIONS, centered=True)
    assert not {"cluster", "name_groups", "label_match"} & centred.keys()
    assert centred["_project"] == centred["neighbors"] == 2
