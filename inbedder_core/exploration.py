"""Texts + instructions + an encoder -> Exploration: the product in one call."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from inbedder_core import clustering, comparison, projection, similarity
from inbedder_core.cache import Memo
from inbedder_core.errors import InputError
from inbedder_core.schema import (
    Clustering,
    Collection,
    Comparison,
    Encoder,
    Encoding,
    Exploration,
    FloatArray,
    Projection,
    Settings,
    View,
)
from inbedder_core.texts import check

LETTERS = "ABCD"
"""The names of the instructions, in their order."""

MAX_INSTRUCTIONS = len(LETTERS)
N_NEIGHBORS = 10
"""Neighbours per text that an exploration keeps, and that "moved" and "trust" are measured on."""

OnStage = Callable[[str, float], None]
"""Called with what is being done and the share that is done, in [0, 1]; may raise `Cancelled`."""


def explore(
    texts: Sequence[str] | Collection,
    instructions: str | Sequence[str],
    *,
    encoder: Encoder | None = None,
    settings: Settings | None = None,
    memo: Memo | None = None,
    on_stage: OnStage | None = None,
) -> Exploration:
    """Sees the same texts under each instruction.

    Args:
        texts: n texts, or a collection of texts with labels.
        instructions: One to four different instructions.
        encoder: Who reads the texts; the bundled checkpoint if None.
        settings: Everything else that changes the result.
        memo: What earlier explorations have computed; only what has changed is computed again.
        on_stage: Told what is going on; may raise `Cancelled`.

    Returns:
        The exploration. The same input, settings and encoder give the same result.

    Raises:
        InputError: No text, too many texts, no instruction, or a setting out of range.
        Cancelled: ``on_stage`` raised it.

    Example:
        >>> result = explore(["I love cats", "I love dogs", "Cats bore me"], "Which animal?")
        >>> result.views[0].clustering.names
        ('cat', 'dog')
    """
    collection = texts if isinstance(texts, Collection) else _collected(texts)
    settings = settings or Settings()
    asked = checked_instructions(instructions)
    check(collection.texts)
    report = on_stage or (lambda _stage, _share: None)
    encoder = encoder or _default_encoder()
    encodings = [
        _encode(collection.texts, i, encoder, settings, report, (k, len(asked)))
        for k, i in enumerate(asked)
    ]
    return _assemble(collection, asked, encodings, encoder, settings, memo or Memo(), report)


def checked_instructions(instructions: str | Sequence[str]) -> list[str]:
    """One to four different instructions without white space around them, or a sentence."""
    given = [instructions] if isinstance(instructions, str) else list(instructions)
    asked = [instruction.strip() for instruction in given]
    if not any(asked):
        raise InputError(
            "There is no instruction yet. Write a question about the texts, "
            "for example “What is the topic?”."
        )
    if not all(asked):
        raise InputError("An instruction is empty. Write a question, or leave it out.")
    if len(asked) > MAX_INSTRUCTIONS:
        raise InputError(f"{len(asked)} instructions are too many; at most 4 fit side by side.")
    if len(set(asked)) < len(asked):
        raise InputError("Two instructions are the same. Change one of them, or leave it out.")
    return asked


def reorder(exploration: Exploration, sort_by: int | None, memo: Memo | None = None) -> Exploration:
    """The same exploration with its heatmaps in another order.

    Args:
        exploration: An exploration of v views.
        sort_by: Index of the view whose leaf order to use, in [0, v); None for all together.
        memo: See `explore`.

    Returns:
        A new exploration; only the order and the heatmaps differ.

    Raises:
        InputError: There is no such view.
    """
    views = exploration.views
    if sort_by is not None and not 0 <= sort_by < len(views):
        raise InputError(f"There is no instruction number {sort_by + 1} to sort by.")
    chosen = views if sort_by is None else (views[sort_by],)
    memo = memo or Memo()
    order = memo(similarity.leaf_order, [view.vectors for view in chosen])
    heatmaps = [memo(similarity.heatmap, view.vectors, order) for view in views]
    return replace(
        exploration,
        order=order,
        views=tuple(replace(v, heatmap=h) for v, h in zip(views, heatmaps, strict=True)),
        settings=replace(exploration.settings, sort_by=sort_by),
    )


def finding(exploration: Exploration, index: int) -> str:
    """One sentence on what the model saw under one instruction.

    Args:
        exploration: The exploration.
        index: Index of the view.

    Returns:
        For example "3 groups, clearly apart: cat · dog · bird".
    """
    view = exploration.views[index]
    groups = view.clustering
    n = len(exploration.collection)
    if n == 1:
        return f"One text; the model answers “{groups.names[0]}”."
    if groups.silhouette is None:
        return f"All {n} texts look the same here: {groups.names[0]}."
    apart = next(words for limit, words in _APART if groups.silhouette >= limit)
    if len(groups.names) == n:
        apart = "one text each"  # their silhouette is 0 by definition and says nothing
    sentence = f"{len(groups.names)} groups, {apart}: {' · '.join(groups.names)}"
    facet, match = max(view.label_match.items(), key=lambda item: item[1], default=("", 0.0))
    if match >= _MATCH:
        sentence += f"; they match the labels “{facet}” (V-measure {match:.2f})"
    return f"{sentence}."


def _collected(texts: Sequence[str]) -> Collection:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InputError('The texts must be a list of strings; for one text, write ["…"].')
    return Collection(tuple(texts))


_APART = (
    (0.5, "clearly apart"),
    (0.25, "fairly apart"),
    (0.1, "overlapping"),
    (-1, "hardly apart"),
)
_MATCH = 0.4
"""Smallest V-measure that is worth a mention."""


def _default_encoder() -> Encoder:
    from inbedder_core.encoder import default_encoder

    return default_encoder()


def _encode(
    texts: Sequence[str],
    instruction: str,
    encoder: Encoder,
    settings: Settings,
    report: OnStage,
    step: tuple[int, int],
) -> Encoding:
    """Encoding is most of the work: the first 80% of the progress."""
    k, total = step
    stage = f"Reading the texts under instruction {LETTERS[k]}"
    report(stage, 0.8 * k / total)

    def on_progress(done: int, all_texts: int) -> None:
        report(f"{stage} ({done}/{all_texts})", 0.8 * (k + done / all_texts) / total)

    return encoder(texts, instruction, settings.n_masks, on_progress=on_progress)


def _assemble(
    collection: Collection,
    instructions: Sequence[str],
    encodings: Sequence[Encoding],
    encoder: Encoder,
    settings: Settings,
    memo: Memo,
    report: OnStage,
) -> Exploration:
    views: list[View] = []
    for k, (instruction, encoding) in enumerate(zip(instructions, encodings, strict=True)):
        report(f"Mapping instruction {LETTERS[k]}", 0.8 + 0.15 * k / len(encodings))
        reference = views[0].projection if views else None
        views.append(_view(collection, instruction, encoding, settings, memo, reference))
    report("Comparing the instructions", 0.95)
    exploration = Exploration(
        collection=collection,
        views=tuple(views),
        comparisons=tuple(
            _compare(views, a, b, memo) for a, b in combinations(range(len(views)), 2)
        ),
        order=np.arange(len(collection), dtype=np.int32),
        model=encoder.spec,
        settings=settings,
    )
    return reorder(exploration, settings.sort_by, memo)


def _view(
    collection: Collection,
    instruction: str,
    encoding: Encoding,
    settings: Settings,
    memo: Memo,
    reference: Projection | None,
) -> View:
    vectors = similarity.unit_vectors(encoding.embeddings, centered=settings.centered)
    neighbors, neighbor_similarity = memo(similarity.neighbors, vectors, N_NEIGHBORS)
    # Groups are relative to the collection, whatever the heatmap shows: over the samples'
    # instructions that came nearer to their labels (V-measure 0.75 against 0.72 with the seed).
    relative = similarity.unit_vectors(encoding.embeddings, centered=True)
    groups, silhouette = memo(
        clustering.cluster,
        relative,
        settings.n_groups,
        answers=encoding.answers,
        seed=settings.seed,
    )
    names = memo(clustering.name_groups, groups, encoding.answers)
    return View(
        instruction=instruction,
        encoding=encoding,
        vectors=vectors,
        neighbors=neighbors,
        neighbor_similarity=neighbor_similarity,
        clustering=Clustering(groups, names, silhouette),
        projection=_projection(vectors, settings, memo, reference),
        heatmap=np.zeros((0, 0), np.float32),  # filled by `reorder`, once the order is known
        label_match={
            facet: memo(clustering.label_match, groups, labels)
            for facet, labels in collection.labels.items()
        },
    )


def _compare(views: Sequence[View], a: int, b: int, memo: Memo) -> Comparison:
    return Comparison(
        a=a,
        b=b,
        agreement=memo(comparison.agreement, views[a].vectors, views[b].vectors),
        moved=memo(comparison.moved, views[a].neighbors, views[b].neighbors),
    )


def _projection(
    vectors: FloatArray, settings: Settings, memo: Memo, reference: Projection | None
) -> Projection:
    """The map; only UMAP has settings and a random state."""
    projection.check(settings.projection, settings.n_neighbors, settings.min_dist)
    umap = settings.projection == "umap"
    nearest = memo(projection.nearest_rows, vectors, settings.n_neighbors if umap else 0)
    names = ("n_neighbors", "min_dist", "seed") if umap else ()
    return memo(
        _project,
        vectors,
        None if reference is None else reference.xy,
        method=settings.projection,
        nearest=list(nearest),
        **{name: getattr(settings, name) for name in names},
    )


def _project(
    vectors: FloatArray, reference: FloatArray | None, nearest: list[Any], **options: Any
) -> Projection:
    """A later instruction's map starts from the first one's and is turned to lie on it."""
    indices, distances = nearest
    found = projection.project(vectors, init=reference, nearest=(indices, distances), **options)
    if reference is None:
        return found
    return replace(found, xy=projection.align(found.xy, reference))
