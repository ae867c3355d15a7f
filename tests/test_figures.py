"""What really reaches the browser: the figures' JSON, decoded as plotly.js decodes it."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from fake_exploration import fake_exploration

from inbedder_core import figures
from inbedder_core.schema import Clustering

TEXTS = [f"A private text number {i}" for i in range(36)]
HOSTILE = ("<img src=x onerror=alert(1)>", "a & b", '<a href="javascript:alert(1)">x</a>')


def sent(figure):
    return json.loads(figure.to_json())


def decoded(spec):
    array = np.frombuffer(base64.b64decode(spec["bdata"]), dtype=f"<{spec['dtype']}")
    return array.reshape([int(side) for side in spec.get("shape", str(array.size)).split(",")])


def contrast(one, other):
    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05

    low, high = sorted([luminance(one), luminance(other)])
    return high / low


@pytest.fixture
def exploration():
    return fake_exploration(TEXTS)


def test_point_i_of_the_only_trace_is_text_i(exploration):
    for view in exploration.views:
        [trace] = sent(figures.map_figure(view))["data"]
        xy = np.stack([decoded(trace["x"]), decoded(trace["y"])], axis=1)
        assert np.array_equal(xy, view.projection.xy)
        assert np.isfinite(xy).all()


def test_colour_and_symbol_tell_the_group(exploration):
    view = exploration.views[0]
    marker = sent(figures.map_figure(view))["data"][0]["marker"]
    drawn = list(zip(marker["color"], marker["symbol"], strict=True))
    assert drawn == [figures.style(group) for group in view.clustering.labels.tolist()]
    assert len(set(marker["color"])) == len(set(marker["symbol"])) == 4


def test_a_hundred_groups_look_different():
    assert len({figures.style(group) for group in range(100)}) == 100
    assert figures.NO_CATEGORY not in {figures.style(group) for group in range(100)}


@pytest.mark.parametrize("background", ["#FFFFFF", "#27272A"])
def test_colours_are_legible_on_both_themes(background):
    for color in figures.PALETTE:
        assert contrast(color, background) >= 3


def test_labels_colour_the_map_instead_of_groups(exploration):
    labels = ["" if i == 5 else "ab"[i % 3 == 0] for i in range(36)]
    marker = sent(figures.map_figure(exploration.views[0], color_by=labels))["data"][0]["marker"]
    assert len(set(marker["color"])) == 3
    assert (marker["color"][5], marker["symbol"][5]) == figures.NO_CATEGORY
    assert marker["color"][1] == figures.PALETTE[0]  # "a" is the most frequent


def test_rare_labels_of_many_are_put_together():
    labels = ["often"] * 3 + [f"label {i}" for i in range(100)]
    of, names = figures.categories(labels)
    assert names[0] == "often"
    assert len(names) == figures.MAX_CATEGORIES
    assert (of < 0).sum() == len(labels) - 3 - (figures.MAX_CATEGORIES - 1)


def test_names_are_escaped_and_no_text_is_in_a_figure(exploration):
    view = exploration.views[0]
    groups = np.repeat(np.arange(3), 12).astype(np.int32)
    xy = np.eye(3, 2, dtype=np.float32)[groups] * 10 + np.arange(36)[:, None] / 36
    view = replace(
        view,
        clustering=Clustering(groups, HOSTILE, None),
        projection=replace(view.projection, xy=xy.astype(np.float32)),
    )
    figure = sent(figures.map_figure(view))
    texts = [one["text"] for one in figure["layout"]["annotations"]]
    assert len(texts) == 3
    for text in texts:
        inner = text.removeprefix("<b>").removesuffix("</b>")
        assert "<" not in inner
        assert ">" not in inner
    assert "private" not in json.dumps(figure)


def test_only_groups_that_lie_together_are_named(exploration):
    view = exploration.views[0]
    scattered = np.random.default_rng(0).random((36, 2)).astype(np.float32)
    figure = figures.map_figure(
        replace(view, projection=replace(view.projection, xy=scattered)), color_by=["a", "b"] * 18
    )
    assert not figure.layout.annotations
    pair = replace(view, clustering=Clustering(np.arange(36) // 18, ("few", "many"), None))
    lonely = replace(pair, clustering=Clustering((np.arange(36) < 34) * 1, ("few", "many"), None))
    assert "few" not in str(figures.map_figure(lonely).layout.annotations)


def test_names_do_not_lie_on_each_other(exploration):
    view = exploration.views[0]
    xy = np.random.default_rng(1).normal(size=(36, 2)).astype(np.float32) / 100
    xy[0] = (5, 5)
    names = sent(figures.map_figure(replace(view, projection=replace(view.projection, xy=xy))))
    heights = [one["y"] for one in names["layout"]["annotations"]]
    assert len(heights) == len(set(heights)) <= 2


def test_all_maps_share_one_frame_that_holds_every_point(exploration):
    area = figures.shared_extent(exploration.views)
    layouts = [sent(figures.map_figure(v, extent=area))["layout"] for v in exploration.views]
    assert layouts[0]["xaxis"]["range"] == layouts[1]["xaxis"]["range"]
    assert layouts[0]["yaxis"]["range"] == layouts[1]["yaxis"]["range"]
    assert layouts[0]["yaxis"]["scaleanchor"] == "x"
    xy = np.concatenate([view.projection.xy for view in exploration.views])
    for axis, (low, high) in enumerate(area):
        assert low < xy[:, axis].min()
        assert xy[:, axis].max() < high
    width, height = area.x[1] - area.x[0], area.y[1] - area.y[0]
    assert 0.69 < height / width < 0.86


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_texts_have_a_frame_and_a_scale(n):
    exploration = fake_exploration(TEXTS[:n], names=[("one",), ("two",)])
    area = figures.shared_extent(exploration.views)
    assert area.x[0] < area.x[1]
    assert area.y[0] < area.y[1]
    low, high = figures.shared_color_range(exploration.views, centered=False)
    assert low < high
    low, high = figures.shared_color_range(exploration.views, centered=True)
    assert low == -high < 0


def test_maps_are_drawn_with_webgl_when_large():
    small, large = (fake_exploration([str(i) for i in range(n)]) for n in (1000, 1001))
    assert sent(figures.map_figure(small.views[0]))["data"][0]["type"] == "scatter"
    assert sent(figures.map_figure(large.views[0]))["data"][0]["type"] == "scattergl"


@pytest.mark.parametrize("n", [2, 36, 450])
def test_the_heatmap_is_the_views_own_first_text_on_top(n):
    exploration = fake_exploration([str(i) for i in range(n)])
    colors = figures.shared_color_range(exploration.views, centered=False)
    for view in exploration.views:
        figure = sent(figures.heatmap_figure(view, color_range=colors))
        [trace] = figure["data"]
        assert trace["z"]["dtype"] == "f4"
        z = decoded(trace["z"])
        assert np.array_equal(z, view.heatmap)
        assert np.isfinite(z).all()
        assert (trace["zmin"], trace["zmax"]) == colors
        assert figure["layout"]["yaxis"]["autorange"] == "reversed"
        assert figure["layout"]["yaxis"]["scaleanchor"] == "x"


def test_the_scale_is_diverging_around_zero_when_centered():
    exploration = fake_exploration(TEXTS, centered=True)
    low, high = figures.shared_color_range(exploration.views, centered=True)
    assert low == -high
    figure = figures.heatmap_figure(exploration.views[0], color_range=(low, high), centered=True)
    scale = sent(figure)["data"][0]["colorscale"]
    assert [color for _, color in scale] == list(figures.DIVERGING)
    raw = figures.heatmap_figure(exploration.views[0], color_range=(0, 1))
    assert sent(raw)["data"][0]["colorscale"][0][1] == "#440154"


def test_backgrounds_are_the_pages_own(exploration):
    view = exploration.views[0]
    for figure in (figures.map_figure(view), figures.heatmap_figure(view, color_range=(0, 1))):
        layout = sent(figure)["layout"]
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert not layout["xaxis"]["visible"]


def test_the_heatmap_says_what_its_order_is():
    view = fake_exploration(TEXTS).views[0]
    plain = figures.heatmap_figure(view, color_range=(0, 1)).layout.annotations[0].text
    noted = figures.heatmap_figure(view, color_range=(0, 1), note="in the order of A")
    assert plain == "cosine similarity"
    assert noted.layout.annotations[0].text == "cosine similarity · in the order of A"


def test_scores_are_drawn_as_a_table_that_frames_what_was_asked():
    scores = np.array([[90, 10, 5], [20, 80, np.nan]], dtype=np.float32)
    drawn = figures.scores_figure(
        scores, ["animal", "<b>mood"], ["What?", "How?", "Who?"], title="a & b", marked=[(1, 2)]
    )
    [trace], layout = sent(drawn)["data"], sent(drawn)["layout"]
    np.testing.assert_array_equal(np.array(decoded(trace["z"])).reshape(2, 3), scores)
    assert layout["yaxis"]["ticktext"] == ["animal", "&lt;b&gt;mood"]
    assert layout["title"]["text"] == "a &amp; b"
    [frame] = layout["shapes"]
    assert (frame["x0"], frame["x1"], frame["y0"], frame["y1"]) == (1.5, 2.5, 0.5, 1.5)


def test_a_page_stands_alone():
    one = figures.scores_figure(np.eye(2, dtype=np.float32), ["a", "b"], ["c", "d"], title="t")
    page = figures.page([one, one], "<title>")
    assert page.count("Plotly.newPlot(") == 2
    assert "<title>&lt;title&gt;</title>" in page
    assert "src=" not in page.split("Plotly.newPlot(")[-1]
    assert len(page) > 1_000_000
