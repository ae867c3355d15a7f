"""The data of the linked view."""

import json
import random
from base64 import b64decode

import numpy as np
import pytest
from fake_exploration import fake_exploration

from inbedder_core import figures
from inbedder_core.errors import InputError
from inbedder_core.payload import payload, to_json
from inbedder_core.recipes.labels import collections

TEXTS = [f"A private text number {i}" for i in range(36)]


def sent(data):
    """What the page gets, with its packed numbers as lists."""
    return unpacked(json.loads(to_json(data)))


def unpacked(part):
    if isinstance(part, list):
        return [unpacked(each) for each in part]
    if not isinstance(part, dict):
        return part
    if "bdata" not in part:
        return {name: unpacked(each) for name, each in part.items()}
    flat = np.frombuffer(b64decode(part["bdata"]), f"<{part['dtype']}")
    rows = flat.reshape(part["shape"]) if isinstance(part.get("shape"), list) else flat
    return rows.tolist()


@pytest.fixture
def exploration():
    return fake_exploration(TEXTS)


def test_a_payload_is_valid_json_of_matching_lengths(exploration):
    data = sent(payload(exploration))
    assert data["texts"] == TEXTS
    assert sorted(data["order"]) == list(range(36))
    assert [view["letter"] for view in data["views"]] == ["A", "B"]
    for view in data["views"]:
        for name in ("answers", "answer_percent", "groups", "neighbors", "trust_percent"):
            assert len(view[name]) == 36
        assert {len(row) for row in view["neighbors"] + view["answers"]} == {5}
        assert max(view["groups"]) < len(view["group_names"]) <= len(data["styles"])
        assert view["finding"]


def test_answers_neighbours_and_movers_are_the_explorations_own(exploration):
    data = sent(payload(exploration))
    a, b = data["views"]
    for shown, view in zip(data["views"], exploration.views, strict=True):
        answers = [[data["words"][word] for word in row] for row in shown["answers"]]
        assert answers == [[a.text for a in row] for row in view.encoding.answers]
        assert shown["neighbors"] == view.neighbors[:, :5].tolist()
        cosines = np.array(shown["neighbor_permille"]) / 1000
        assert np.allclose(cosines, view.neighbor_similarity[:, :5], atol=1e-3)
        assert shown["truncated"] == [35]
    assert a["moved_percent"] is None
    moved = np.array(b["moved_percent"]) / 100
    assert np.allclose(moved, exploration.comparisons[0].moved, atol=1e-2)


def test_moved_is_always_against_the_first_instruction():
    questions = ("a?", "b?", "c?")
    exploration = fake_exploration(TEXTS, questions, names=[("x", "y")] * 3)
    moved = [view["moved_percent"] for view in payload(exploration)["views"]]
    assert [one is None for one in moved] == [True, False, False]


def test_cells_know_their_texts():
    exploration = fake_exploration([str(i) for i in range(450)])
    starts = payload(exploration)["cell_starts"]
    assert len(starts) == len(exploration.views[0].heatmap) == 400
    vectors = exploration.views[0].vectors[exploration.order]
    first, second = vectors[starts[7] : starts[8]], vectors[starts[60] : starts[61]]
    assert np.isclose((first @ second.T).mean(), exploration.views[0].heatmap[7, 60], atol=1e-5)
    assert payload(fake_exploration(TEXTS))["cell_starts"] == list(range(36))


def test_no_text_is_inside_a_figure(exploration):
    for view in sent(payload(exploration, color_by="kind"))["views"]:
        assert "private" not in json.dumps([view["map"], view["heatmap"]])


def test_a_facet_colours_every_map(exploration):
    data = sent(payload(exploration, color_by="kind"))
    facet = data["facet"]
    assert facet["name"] == "kind"
    assert facet["rest"] == "no label"
    for i, label in enumerate(data["labels"]["kind"]):
        style = data["styles"][facet["of"][i]] if label else data["no_style"]
        assert not label or facet["names"][facet["of"][i]] == label
        marker = figures.map_figure(exploration.views[0], color_by=data["labels"]["kind"]).data[0]
        assert [marker.marker.color[i], marker.marker.symbol[i]] == style


def test_an_unknown_facet_is_refused(exploration):
    with pytest.raises(InputError, match="no label column"):
        payload(exploration, color_by="nothing")


def test_the_texts_id_tells_texts_apart_and_nothing_else(exploration):
    other = fake_exploration([*TEXTS[1:], TEXTS[0]])
    again = fake_exploration(TEXTS, ("Another question?",), names=[("x", "y")])
    ids = [payload(one)["texts_id"] for one in (exploration, other, again)]
    assert ids[0] == ids[2] != ids[1]


def test_the_aria_text_says_what_the_map_shows(exploration):
    spoken = payload(exploration)["views"][0]["aria"]["map"]
    assert spoken == (
        "Map of 36 texts under “What animal is it?”: 4 groups: cat 9, dog 9, bird 9, fish 9."
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_texts(n):
    data = sent(payload(fake_exploration(TEXTS[:n], names=[("one",), ("two",)])))
    assert len(data["texts"]) == n
    assert {len(row) for row in data["views"][0]["neighbors"]} == {n - 1}


def test_a_large_payload_stays_small():
    rng = random.Random(0)
    words = [word for each in collections([]) for text in each.texts for word in text.text.split()]
    texts = [" ".join(rng.choices(words, k=38)) for _ in range(10_000)]  # as long as a review
    shown = payload(fake_exploration(texts))
    assert len("".join(texts)) > 2_000_000
    assert len(to_json(shown)) < 3_000_000


def test_the_page_fills_in_what_its_figures_lack(exploration):
    data = sent(payload(exploration))
    for shown, view in zip(data["views"], exploration.views, strict=True):
        marker = shown["map"]["data"][0]["marker"]
        assert not {"color", "symbol"} & marker.keys()
        assert "z" not in shown["heatmap"]["data"][0]
        half = view.heatmap[np.triu_indices(36)]
        np.testing.assert_allclose(np.array(shown["cells"]) / 10_000, half, atol=5.1e-5)
        styles = [data["styles"][group] for group in shown["groups"]]
        drawn = figures.map_figure(view).data[0].marker
        assert [list(pair) for pair in zip(drawn.color, drawn.symbol, strict=True)] == styles
