"""A made-up `Exploration` with visible structure, without a model or UMAP."""

from collections.abc import Sequence

import numpy as np

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
from inbedder_core.similarity import heatmap

WORDS = ("cat", "dog", "bird", "fish", "horse", "rabbit")


def fake_view(
    instruction: str,
    groups: np.ndarray,
    order: np.ndarray,
    names: Sequence[str],
    *,
    max_cells: int,
    seed: int,
    centered: bool = False,
) -> View:
    """Draws vectors around one direction per group and derives everything else from them."""
    rng = np.random.default_rng(seed)
    n, k = len(groups), min(10, len(groups) - 1)
    vectors = rng.normal(size=(len(names), 16))[groups] * 0.75 + rng.normal(size=(n, 16)) * 0.45
    vectors += 0 if centered else 0.9
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    cosine = vectors @ vectors.T
    nearest = np.argsort(-(cosine - 2 * np.eye(n)), axis=1)[:, :k].astype(np.int32)
    corners = rng.normal(size=(len(names), 2)) * 4
    xy = (corners[groups] + rng.normal(size=(n, 2))).astype(np.float32)
    answers = tuple(
        tuple(Answer(names[(g + i) % len(names)], 0.62 / (i + 1) ** 2) for i in range(5))
        for g in groups.tolist()
    )
    return View(
        instruction=instruction,
        encoding=Encoding(vectors, answers, np.arange(n) == n - 1),
        vectors=vectors,
        neighbors=nearest,
        neighbor_similarity=np.take_along_axis(cosine, nearest, 1),
        clustering=Clustering(groups.astype(np.int32), tuple(names), 0.4),
        projection=Projection(xy - xy.mean(0), rng.random(n).astype(np.float32), "umap"),
        heatmap=heatmap(vectors, order, max_cells=max_cells),
        label_match={},
    )


def fake_exploration(
    texts: Sequence[str],
    instructions: Sequence[str] = ("What animal is it?", "How does the author feel?"),
    *,
    names: Sequence[Sequence[str]] = (WORDS[:4], ("happy", "sad", "angry")),
    max_cells: int = 400,
    centered: bool = False,
) -> Exploration:
    """Makes an exploration of n texts whose groups under view v are striped differently."""
    n = len(texts)
    rng = np.random.default_rng(7)
    all_groups = [
        np.arange(n) % len(names[v]) if v == 0 else rng.integers(0, len(names[v]), n)
        for v in range(len(instructions))
    ]
    order = np.argsort(all_groups[0], kind="stable").astype(np.int32)
    views = tuple(
        fake_view(
            text, all_groups[v], order, names[v], max_cells=max_cells, seed=v, centered=centered
        )
        for v, text in enumerate(instructions)
    )
    pairs = [(a, b) for a in range(len(views)) for b in range(a + 1, len(views))]
    moved = rng.random(n).astype(np.float32)
    return Exploration(
        collection=Collection(
            tuple(texts), {"kind": tuple("" if i % 7 == 3 else WORDS[i % 3] for i in range(n))}
        ),
        views=views,
        comparisons=tuple(Comparison(a, b, 0.5, moved) for a, b in pairs),
        order=order,
        model=ModelSpec("fake", "nowhere"),
        settings=Settings(centered=centered),
    )
