"""Plotly figures of one view, its map and its heatmap, and of tables of scores.

Nothing is computed but where names fit. Point ``i`` of the only trace of a map is text ``i``; cell
``[r, c]`` of a heatmap is the pair of texts ``order[r]``, ``order[c]`` (or a block of them). No
text of the user is ever put into a figure: hovering is drawn by the page, and names are escaped,
because Plotly reads them as markup.
"""

import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import plotly
import plotly.graph_objects as go

from inbedder_core.schema import FloatArray, IntArray, View

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
"""The plotly.js that these figures are made for."""

PALETTE = (
    "#1F7BC0",
    "#D55E00",
    "#009E73",
    "#A8549A",
    "#B08500",
    "#8F76F0",
    "#F0567A",
    "#896A52",
    "#3F8F1F",
    "#8288A8",
)
"""Ten colours with at least 3:1 contrast on white and on Gradio's dark grey (#27272a)."""

SYMBOLS = (
    "circle",
    "diamond",
    "square",
    "triangle-up",
    "cross",
    "star",
    "triangle-down",
    "x",
    "pentagon",
    "hourglass",
)
NO_CATEGORY = ("#7F8794", "circle-open")
MAX_CATEGORIES = 30
SVG_LIMIT = 1000
"""Above this number of texts a map is drawn with WebGL."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK = "#71757f"
"""Legible on both themes; the page replaces it with the theme's own text colour."""

SEQUENTIAL = "Viridis"
DIVERGING = ("#1B5E9E", "#5A96C4", "#A9C8DF", "#E4E4E4", "#EDBE93", "#CF7B32", "#8A4208")
MARGIN, MIN_ASPECT, MAX_ASPECT = 1.24, 0.7, 0.85
MIN_MEMBERS, MAX_SPREAD = 3, 0.16
NAME_LENGTH = 24
_NAME_HEIGHT, _CHARACTER_WIDTH = 0.055, 0.022  # shares of a small map's width


class Extent(NamedTuple):
    """The rectangle that all maps of one exploration share, wider than tall.

    Attributes:
        x: Lowest and highest horizontal coordinate.
        y: Lowest and highest vertical coordinate.
    """

    x: tuple[float, float]
    y: tuple[float, float]


def style(category: int) -> tuple[str, str]:
    """Returns the colour and the Plotly symbol of a category; -1 means none."""
    if category < 0:
        return NO_CATEGORY
    rounds = category // len(PALETTE)
    return PALETTE[category % len(PALETTE)], SYMBOLS[(category + rounds) % len(SYMBOLS)]


def categories(labels: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Numbers the labels of a facet, the most frequent first.

    Args:
        labels: n labels; empty ones, and those after the first `MAX_CATEGORIES`, become -1.

    Returns:
        (n,) int32 categories, and the name of each category.
    """
    counts = Counter(label for label in labels if label)
    names = tuple(name for name, _ in counts.most_common(MAX_CATEGORIES))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(label, -1) for label in labels], dtype=np.int32), names


def shared_extent(views: Sequence[View]) -> Extent:
    """Returns a rectangle, with a margin, that holds the maps of all views."""
    xy = np.concatenate([view.projection.xy for view in views])
    low, high = xy.min(axis=0), xy.max(axis=0)
    x, y = ((low + high) / 2).tolist()
    width, height = ((high - low) / 2 * MARGIN).tolist()
    half_x = max(width, height / MAX_ASPECT) or 1.0
    half_y = max(height, MIN_ASPECT * half_x)
    return Extent((x - half_x, x + half_x), (y - half_y, y + half_y))


def shared_color_range(views: Sequence[View], *, centered: bool) -> tuple[float, float]:
    """Returns the range of similarity that the heatmaps of all views share.

    Args:
        views: The views of one exploration.
        centered: Whether the mean was subtracted; the range is then symmetric around 0.
    """
    cells = np.concatenate([view.heatmap.ravel() for view in views])
    if centered:
        off_diagonal = np.abs(cells[cells < 1 - 1e-4])
        bound = float(np.quantile(off_diagonal, 0.995)) if off_diagonal.size else 1.0
        return -(bound or 1.0), bound or 1.0
    low, high = float(np.quantile(cells, 0.005)), float(cells.max())
    return (low, high) if high - low > 1e-3 else (high - 1e-3, high)


def map_figure(
    view: View, *, color_by: Sequence[str] | None = None, extent: Extent | None = None
) -> go.Figure:
    """Draws the map of a view: one point per text, coloured and shaped by its group.

    Args:
        view: What to draw.
        color_by: n labels to colour by instead of the groups.
        extent: The rectangle that all maps share; by default this view's own.

    Returns:
        A figure with one trace, whose point i is text i.
    """
    groups, names = view.clustering.labels, view.clustering.names
    if color_by is not None:
        groups, names = categories(color_by)
    xy, area = view.projection.xy, extent or shared_extent([view])
    figure = go.Figure(_scatter(xy, groups), _layout())
    axis = {"visible": False, "fixedrange": False}
    figure.update_xaxes(range=list(area.x), **axis)
    figure.update_yaxes(range=list(area.y), scaleanchor="x", constrain="domain", **axis)
    figure.update_layout(
        dragmode="lasso",
        newselection={"line": {"color": INK, "width": 1, "dash": "dot"}},
        annotations=_name_annotations(xy, groups, names, area),
    )
    return figure


def heatmap_figure(
    view: View, *, color_range: tuple[float, float], centered: bool = False, note: str = ""
) -> go.Figure:
    """Draws the similarities of a view in the exploration's order, the first text on top.

    Args:
        view: What to draw.
        color_range: The lowest and highest similarity of the colour scale.
        centered: Whether the mean was subtracted: a diverging scale around 0 instead of a
            sequential one.
        note: A few words of ours to stand beside "cosine similarity", such as what the order is.

    Returns:
        A figure with one trace; its z is `view.heatmap`.
    """
    trace = go.Heatmap(
        z=view.heatmap.astype(np.float32),
        zmin=color_range[0],
        zmax=color_range[1],
        colorscale=list(DIVERGING) if centered else SEQUENTIAL,
        hoverinfo="none",
        colorbar=_colorbar(),
    )
    figure = go.Figure(trace, _layout(margin=8, bottom=64))
    title = f"cosine similarity · {note}" if note else "cosine similarity"
    axis = {"visible": False, "constrain": "domain"}
    figure.update_xaxes(**axis)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", **axis)
    figure.update_layout(dragmode="zoom", annotations=[_COLORBAR_TITLE | {"text": title}])
    return figure


def scores_figure(
    scores: FloatArray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    marked: Sequence[tuple[int, int]] = (),
) -> go.Figure:
    """Draws a table of scores as a heatmap with its numbers in the cells.

    Args:
        scores: (r, c) scores from 0 to 100; NaN stays empty.
        rows: r names.
        columns: c names.
        title: What stands above.
        marked: Cells (row, column) to frame.

    Returns:
        A figure with one trace, the first row on top.
    """
    rows, columns, title = _escaped(rows), _escaped(columns), html.escape(title)
    trace = go.Heatmap(
        z=scores,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=0,
        zmax=100,
        colorscale=SEQUENTIAL,
        texttemplate="%{z:.0f}",
        hoverinfo="none",
        showscale=False,
    )
    figure = go.Figure(
        trace, {"template": "none", "title": {"text": title, "x": 0.02}, "font": {"family": FONT}}
    )
    ticks = {"automargin": True, "showgrid": False, "zeroline": False, "tickmode": "array"}
    figure.update_xaxes(tickvals=list(range(len(columns))), ticktext=columns, tickangle=20, **ticks)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=rows, autorange="reversed", **ticks
    )
    for row, column in marked:
        corners = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", line={"color": PALETTE[1], "width": 3}, **corners)
    size = {"width": 260 + 150 * len(columns), "height": 220 + 48 * len(rows)}
    figure.update_layout(**size, margin={"l": 120, "r": 140, "t": 60, "b": 100})
    return figure


def page(figures: Sequence[go.Figure], title: str) -> str:
    """A web page with the figures one below the other, which needs no other file."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=number == 0)
        for number, figure in enumerate(figures)
    ]
    head = f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title>'
    return "\n".join([head, *parts])


def _escaped(names: Sequence[str]) -> list[str]:
    return [html.escape(name) for name in names]


def _scatter(xy: FloatArray, groups: IntArray) -> go.Scatter | go.Scattergl:
    n = len(xy)
    styles = [style(group) for group in groups.tolist()]
    trace = go.Scatter if n <= SVG_LIMIT else go.Scattergl
    return trace(
        x=xy[:, 0],
        y=xy[:, 1],
        mode="markers",
        hoverinfo="none",
        marker={
            "color": [color for color, _ in styles],
            "symbol": [symbol for _, symbol in styles],
            "size": 11 if n <= 80 else 9 if n <= 250 else 7 if n <= SVG_LIMIT else 5,
            "opacity": 0.92,
            "line": {"width": 0},
        },
        unselected={"marker": {"opacity": 0.14}},
    )


def _layout(*, margin: int = 0, bottom: int = 0) -> dict[str, Any]:
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": margin, "r": margin, "t": margin, "b": bottom, "autoexpand": False},
        "font": {"family": FONT, "size": 12, "color": INK},
        "showlegend": False,
        "hovermode": "closest",
        "autosize": True,
    }


def _colorbar() -> dict[str, Any]:
    return {
        "orientation": "h",
        "thickness": 6,
        "len": 1,
        "x": 0.5,
        "xpad": 0,
        "y": 0,
        "yanchor": "top",
        "ypad": 8,
        "outlinewidth": 0,
        "nticks": 5,
        "ticks": "",
        "tickfont": {"size": 11},
        "title": {"text": ""},
    }


_COLORBAR_TITLE = {  # a title of the bar's own sometimes lands on its ticks
    "font": {"size": 11},
    "showarrow": False,
    "xref": "paper",
    "yref": "paper",
    "x": 0.5,
    "y": 0,
    "yanchor": "top",
    "yshift": -32,
}


def _name_annotations(
    xy: FloatArray, groups: IntArray, names: Sequence[str], area: Extent
) -> list[dict[str, Any]]:
    """Places each name just above the core of its group, or below it, or not at all."""
    side = area.x[1] - area.x[0]
    height = _NAME_HEIGHT * side
    placed: list[tuple[float, float, float]] = []
    annotations = []
    for group, name in enumerate(names):
        members = xy[groups == group]
        if len(members) < MIN_MEMBERS:
            continue
        short = name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"
        half_width = max(len(short), 3) * _CHARACTER_WIDTH * side / 2
        away = np.linalg.norm(members - np.median(members, axis=0), axis=1)
        if float(np.median(away)) > MAX_SPREAD * side:
            continue  # its middle is no place where its texts are
        core = members[away <= np.quantile(away, 0.75)]
        x = float(np.median(core[:, 0]))
        under = members[np.abs(members[:, 0] - x) < half_width, 1]
        top, bottom = float(core[:, 1].max()), float(core[:, 1].min())
        top = float(under[under < top + height].max(initial=top))
        for y in (top + height, bottom - height):
            if all(abs(x - a) > half_width + w or abs(y - b) > height for a, b, w in placed):
                placed.append((x, y, half_width))
                text = f"<b>{html.escape(short)}</b>"
                annotations.append({"x": x, "y": y, "text": text, "showarrow": False})
                break
    return annotations
