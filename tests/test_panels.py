"""The page's own logic, without a browser."""

import json

import gradio as gr
import pandas as pd
import pytest

from inbedder_core.errors import InputError
from inbedder_core.samples import sample, samples
from inbedder_core.schema import Collection, Settings
from ui import explore_tab, instructions_panel, settings_panel, texts_panel
from ui.notice import note
from ui.session import Session

PETS = sample("pets")
SOURCE = Collection(("one", "two\nlines", "one", "three"), {"label": ("a", "b", "c", "d")})


def test_an_unedited_box_is_its_source():
    assert texts_panel.current(texts_panel.lines(SOURCE), SOURCE) is SOURCE
    assert texts_panel.lines(SOURCE).split("\n")[1] == "two lines"


def test_edited_lines_keep_their_labels():
    found = texts_panel.current("new\nthree\none\n\none\none", SOURCE)
    assert found.texts == ("new", "three", "one", "one", "one")
    assert found.labels == {"label": ("", "d", "a", "c", "")}


def test_own_texts_have_no_labels():
    assert texts_panel.current("something\nelse", SOURCE).labels == {}


def test_the_table_and_back():
    shown = texts_panel.grid(PETS.collection)
    frame = pd.DataFrame(shown["data"], columns=shown["headers"])
    found = texts_panel.from_grid(frame)
    assert found.texts == PETS.collection.texts
    assert found.labels == dict(PETS.collection.labels)
    frame.loc[0, "text"] = " "
    frame.loc[1, "animal"] = None
    found = texts_panel.from_grid(frame)
    assert len(found) == 35
    assert found.labels["animal"][0] == ""
    with pytest.raises(InputError, match="no text"):
        texts_panel.from_grid(pd.DataFrame([["", ""]], columns=["text", "x"]))


@pytest.mark.parametrize("one", samples(), ids=lambda one: one.name)
def test_a_sample_starts_with_two_instructions_for_two_facets(one):
    facet_of = dict(one.instructions)
    asked = one.starters
    assert len({facet_of[instruction] for instruction in asked}) == len(asked) == 2


def visible(values):
    *_, a, b, c, d, _add = values
    return [row.visible for row in (a, b, c, d)]


def test_instructions_are_added_removed_and_taken():
    values = instructions_panel.fill(["a", "b"])
    assert values[0] == 2
    assert values[1:5] == ["a", "b", "", ""]
    assert visible(values) == [True, True, False, False]
    assert instructions_panel._add(4)[0] == 4
    assert instructions_panel._add(2)[1:5] == [gr.skip()] * 4  # somebody may be typing there
    removed = instructions_panel._remove(0, 2, "a", "b", "", "")
    assert removed[0] == 1
    assert removed[1:5] == ["b", "", "", ""]
    assert instructions_panel._remove(0, 1, "a", "", "", "")[0] == 1
    taken = instructions_panel._take(["new"], 2, "a", "", "", "")
    assert taken[1:5] == ["a", "new", "", ""]
    taken = instructions_panel._take(["new"], 2, "a", "b", "", "")
    assert taken[:5] == [3, "a", "b", "new", ""]
    taken = instructions_panel._take(["new"], 4, "a", "b", "c", "d")
    assert taken[1:5] == ["a", "b", "c", "new"]


def test_a_fifth_instruction_cannot_be_added():
    assert instructions_panel.fill(["a", "b", "c"])[-1].visible
    assert not instructions_panel.fill(["a", "b", "c", "d"])[-1].visible


def test_blank_boxes_between_instructions_are_closed():
    assert explore_tab._moved_up(["a", " ", "", "d"])[:5] == [2, "a", "d", "", ""]
    for boxes in (["a", "b", "", ""], ["a", "b", "c", "d"], ["", "", "", ""]):
        assert explore_tab._moved_up(boxes)[1] == gr.skip()


PRIVATE = "".join(["private", " words of a visitor"])


class Broken(Session):
    def encoder(self, name):
        raise RuntimeError(PRIVATE)


def test_a_fault_of_ours_is_one_sentence_and_logs_no_text(caplog):
    settings = (3, settings_panel.RAW, settings_panel.AUTOMATIC, "PCA", 15, 0.1, 42)
    boxes = ("What?", "", "", "")
    order = (settings_panel.TOGETHER, settings_panel.GROUPS)
    run = explore_tab._run(
        Broken(), "some text", SOURCE, "x", *order, *settings, *boxes, progress=lambda *a, **k: None
    )
    *_, last = run
    assert "still here" in json.loads(last[1])["text"]
    assert last[2].interactive is False
    assert "RuntimeError" in caplog.text
    assert PRIVATE not in caplog.text


def clicked(name):
    index = [one.name for one in samples()].index(name)
    return gr.SelectData(None, {"index": index, "value": name})


def test_a_sample_keeps_what_was_written():
    boxes = ["mine?", "", "", ""]
    chosen = explore_tab._choose_sample(clicked("pets"), None, "my own text", SOURCE, *boxes)
    kept = chosen[-2]
    assert chosen[-1].visible
    again = explore_tab._choose_sample(clicked("films"), kept, chosen[0], chosen[1], *chosen[3:7])
    assert again[-2] == kept
    back = explore_tab._bring_back(kept)
    assert back[:3] == ["my own text", SOURCE, 1]
    assert back[3:7] == boxes
    assert back[-2] is None


def test_choosing_samples_only_keeps_nothing():
    chosen = explore_tab._choose_sample(
        clicked("films"),
        None,
        texts_panel.lines(PETS.collection),
        PETS.collection,
        "a",
        "b",
        "",
        "",
    )
    assert chosen[-2] is None
    assert not chosen[-1].visible


def test_taking_the_bad_instruction_says_why_it_is_bad():
    bad, why = PETS.bad_instruction
    assert why in json.loads(instructions_panel._take([bad], 1, "a", "", "", "")[-1])["text"]


def test_settings_mean_what_they_say():
    default = Settings()
    assert default == settings_panel.settings(
        3, settings_panel.RAW, settings_panel.AUTOMATIC, "UMAP", 15, 0.1, 42
    )
    other = settings_panel.settings(1, settings_panel.CENTERED, "4", "PCA", 5, 0.5, None)
    assert other == Settings(1, True, 4, "pca", 5, 0.5, default.sort_by, 0)


def test_order_choices():
    assert settings_panel.sort_index(settings_panel.TOGETHER) is None
    assert settings_panel.sort_index("As under C") == 2


def test_every_visitor_gets_a_session_of_their_own():
    from copy import deepcopy

    first = Session()
    second = deepcopy(first)
    first.cancel()
    assert second is not first
    second.raise_if_cancelled()
    with pytest.raises(Exception, match="Cancelled"):
        first.raise_if_cancelled()
    first.start()
    first.raise_if_cancelled()


def test_a_note_is_data_not_markup():
    assert json.loads(note("<b>&", "error")) == {"kind": "error", "text": "<b>&"}


def test_the_page_builds():
    from ui.page import build

    page = build()
    assert isinstance(page, gr.Blocks)
