"""The data of the linked view: all that the page draws of one exploration, ready for JSON."""

import hashlib
import json
from collections import Counter
from typing import Any

from inbedder_core import figures
from inbedder_core.errors import InputError
from inbedder_core.exploration import LETTERS, finding
from inbedder_core.schema import Exploration, FloatArray, View
from inbedder_core.wire import deflated, packed, packed_rows, packed_triangle

N_SHOWN = 5
"""Answers and neighbours per text that travel to the page."""


def payload(exploration: Exploration, *, color_by: str | None = None) -> dict[str, Any]:
    """Returns everything that the linked view shows, ready for JSON.

    What is said once is sent once: the page colours the points by the groups' styles, and mirrors
    the upper half of the heatmaps.

    Args:
        exploration: The result to show.
        color_by: A facet of the collection whose labels colour the maps instead of the groups.

    Raises:
        InputError: When there is no such facet.
    """
    collection = exploration.collection
    if color_by is not None and color_by not in collection.labels:
        raise InputError(f"There is no label column “{color_by[:40]}” to colour by.")
    labels = collection.labels[color_by] if color_by is not None else None
    words: dict[str, int] = {}
    views = [_view(exploration, i, labels, words) for i in range(len(exploration.views))]
    facet = None
    n_categories = max(len(view["group_names"]) for view in views)
    if labels is not None:
        of, names = figures.categories(labels)
        rest = "other" if any(label and label not in names for label in labels) else "no label"
        facet = {"name": color_by, "of": packed(of), "names": names, "rest": rest}
        n_categories = max(n_categories, len(names))
    return {
        "texts_id": hashlib.sha256(json.dumps(collection.texts).encode()).hexdigest()[:16],
        "texts": collection.texts,
        "labels": dict(collection.labels),
        "order": packed(exploration.order),
        "cell_starts": _cell_starts(exploration),
        "model": exploration.model.title or exploration.model.name,
        "words": list(words),
        "facet": facet,
        "styles": [figures.style(i) for i in range(n_categories)],
        "no_style": figures.NO_CATEGORY,
        "views": views,
    }


def to_json(payload: dict[str, Any]) -> str:
    """The text that goes to the page; a long one is deflated."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return deflated(text)


def _view(
    exploration: Exploration, index: int, labels: tuple[str, ...] | None, words: dict[str, int]
) -> dict[str, Any]:
    """Returns one view's part; `words` collects the answers' vocabulary over all views."""
    view = exploration.views[index]
    answers = [row[:N_SHOWN] for row in view.encoding.answers]
    centered = exploration.settings.centered
    color_range = figures.shared_color_range(exploration.views, centered=centered)
    area = figures.shared_extent(exploration.views)
    moved = {c.b: c.moved for c in exploration.comparisons if c.a == 0}.get(index)
    marked = figures.map_figure(view, color_by=labels, extent=area)
    heated = figures.heatmap_figure(
        view, color_range=color_range, centered=centered, note=_order(exploration)
    )
    return {
        "letter": LETTERS[index],
        "instruction": view.instruction,
        "finding": finding(exploration, index),
        "aria": _aria(view, color_range),
        "answers": packed_rows(
            [[words.setdefault(a.text, len(words)) for a in row] for row in answers]
        ),
        "answer_percent": packed_rows(
            [[round(100 * a.probability) for a in row] for row in answers]
        ),
        "groups": packed(view.clustering.labels),
        "group_names": list(view.clustering.names),
        "neighbors": packed(view.neighbors[:, :N_SHOWN]),
        "neighbor_permille": _rounded(view.neighbor_similarity[:, :N_SHOWN] * 1000),
        "moved_percent": None if moved is None else _rounded(moved * 100),
        "trust_percent": _rounded(view.projection.trust * 100),
        "truncated": view.encoding.truncated.nonzero()[0].tolist(),
        "map": _without(marked, "marker.color", "marker.symbol"),
        "heatmap": _without(heated, "z"),
        "cells": packed_triangle(view.heatmap),
    }


def _without(figure: Any, *parts: str) -> dict[str, Any]:
    """A figure for JSON, its only trace without the parts that the page fills in."""
    figure.data[0].update({part.replace(".", "_"): None for part in parts})
    plain: dict[str, Any] = json.loads(figure.to_json())
    return plain


def _cell_starts(exploration: Exploration) -> list[int]:
    """Positions in the order where the heatmaps' rows begin (`similarity.heatmap` splits so)."""
    n, cells = len(exploration.order), len(exploration.views[0].heatmap)
    return [cell * n // cells for cell in range(cells)]


def _rounded(values: FloatArray) -> dict[str, Any]:
    return packed(values.round().astype(int))


def _aria(view: View, color_range: tuple[float, float]) -> dict[str, str]:
    """Says in words what the two plots show, for those who can't see them."""
    n, names = len(view.clustering.labels), view.clustering.names
    sizes = Counter(view.clustering.labels.tolist())
    groups = ", ".join(f"{name} {sizes[i]}" for i, name in enumerate(names))
    plural = "group" if len(names) == 1 else "groups"
    low, high = color_range
    return {
        "map": f"Map of {n} texts under “{view.instruction}”: {len(names)} {plural}: {groups}.",
        "heatmap": f"Heatmap of the similarities between {n} texts under “{view.instruction}”, "
        f"coloured from {low:.2f} to {high:.2f}. The table below lists every text.",
    }


def _order(exploration: Exploration) -> str:
    """Whose order the heatmaps share, in words; nothing with one instruction."""
    sort_by = exploration.settings.sort_by
    if len(exploration.views) == 1:
        return ""
    return "an order for all" if sort_by is None else f"in the order of {LETTERS[sort_by]}"
