"""An exploration as JSON-ready data, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inbedder_core.errors import InputError
from inbedder_core.schema import (
    Answer,
    Clustering,
    Collection,
    Comparison,
    Encoding,
    Exploration,
    ModelSpec,
    Projection,
    Settings,
    View,
)
from inbedder_core.similarity import unit_vectors

FORMAT = 1
"""Raised when a change of the format would make older files unreadable."""


def to_dict(exploration: Exploration, *, embeddings: bool = False) -> dict[str, Any]:
    """Turns an exploration into plain lists, strings and numbers.

    Args:
        exploration: The exploration.
        embeddings: Include the embeddings, which `from_dict` needs; they are most of the size.

    Returns:
        JSON-ready data; numbers have four digits after the point.
    """
    return {
        "format": FORMAT,
        "model": asdict(exploration.model) | {"source": ""},  # the folder is nobody's business
        "settings": asdict(exploration.settings),
        "texts": list(exploration.collection.texts),
        "labels": {name: list(v) for name, v in exploration.collection.labels.items()},
        "order": exploration.order.tolist(),
        "views": [_view(view, embeddings=embeddings) for view in exploration.views],
        "comparisons": [
            {"a": c.a, "b": c.b, "agreement": round(c.agreement, 4), "moved": _numbers(c.moved)}
            for c in exploration.comparisons
        ],
    }


def from_dict(data: Mapping[str, Any]) -> Exploration:
    """Reads what `to_dict` wrote with embeddings.

    Args:
        data: The data.

    Returns:
        The exploration; its arrays are exact to four digits after the point.

    Raises:
        InputError: The data is of another format, or without embeddings.
    """
    if data.get("format") != FORMAT or not all("embeddings" in v for v in data["views"]):
        raise InputError(
            f"This is no saved exploration of format {FORMAT} with embeddings. Save it again with "
            "to_dict(exploration, embeddings=True)."
        )
    settings = Settings(**data["settings"])
    return Exploration(
        collection=Collection(
            tuple(data["texts"]), {name: tuple(v) for name, v in data["labels"].items()}
        ),
        views=tuple(_read_view(view, centered=settings.centered) for view in data["views"]),
        comparisons=tuple(
            Comparison(c["a"], c["b"], c["agreement"], _floats(c["moved"]))
            for c in data["comparisons"]
        ),
        order=np.array(data["order"], dtype=np.int32),
        model=ModelSpec(**data["model"]),
        settings=settings,
    )


def _view(view: View, *, embeddings: bool) -> dict[str, Any]:
    groups, projection = view.clustering, view.projection
    return {
        "instruction": view.instruction,
        "answers": [
            [[a.text, round(a.probability, 4)] for a in row] for row in view.encoding.answers
        ],
        "truncated": view.encoding.truncated.tolist(),
        "groups": groups.labels.tolist(),
        "group_names": list(groups.names),
        "silhouette": None if groups.silhouette is None else round(groups.silhouette, 4),
        "projection": projection.method,
        "xy": _numbers(projection.xy),
        "trust": _numbers(projection.trust),
        "neighbors": view.neighbors.tolist(),
        "neighbor_similarity": _numbers(view.neighbor_similarity),
        "heatmap": _numbers(view.heatmap),
        "label_match": {name: round(match, 4) for name, match in view.label_match.items()},
    } | ({"embeddings": _numbers(view.encoding.embeddings)} if embeddings else {})


def _read_view(data: Mapping[str, Any], *, centered: bool) -> View:
    embeddings = _floats(data["embeddings"])
    answers = tuple(tuple(Answer(*pair) for pair in row) for row in data["answers"])
    return View(
        instruction=data["instruction"],
        encoding=Encoding(embeddings, answers, np.array(data["truncated"], dtype=bool)),
        vectors=unit_vectors(embeddings, centered=centered),
        neighbors=np.array(data["neighbors"], dtype=np.int32),
        neighbor_similarity=_floats(data["neighbor_similarity"]),
        clustering=Clustering(
            np.array(data["groups"], dtype=np.int32),
            tuple(data["group_names"]),
            data["silhouette"],
        ),
        projection=Projection(_floats(data["xy"]), _floats(data["trust"]), data["projection"]),
        heatmap=_floats(data["heatmap"]),
        label_match=data["label_match"],
    )


def _numbers(array: NDArray[np.float32]) -> list[Any]:
    """Nested lists of numbers that print short; float64 first, as float32 prints its error."""
    numbers: list[Any] = array.astype(np.float64).round(4).tolist()
    return numbers


def _floats(rows: Sequence[Any]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)
