"""The settings, folded away: those of display apply at once, the others re-run the work."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from inbedder_core import registry
from inbedder_core.exploration import LETTERS
from inbedder_core.schema import MAX_MASKS, Exploration, ProjectionMethod, Settings

AUTOMATIC, GROUPS, TOGETHER = "Automatic", "Groups", "All instructions together"
RAW, CENTERED = "As published", "Collection-centred"
METHODS: dict[str, ProjectionMethod] = {"UMAP": "umap", "PCA": "pca", "MDS": "mds"}
MAX_GROUPS = 12
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class SettingsPanel:
    """The components of the panel.

    Attributes:
        checkpoint: Which checkpoint reads the texts.
        computing: What `settings` reads, in its order; a change re-runs the exploration.
        sort_by: Whose order the heatmaps share.
        color_by: What the colours of the maps mean.
    """

    checkpoint: gr.Dropdown
    computing: list[Any]
    sort_by: gr.Dropdown
    color_by: gr.Dropdown


def build(opening: Exploration) -> SettingsPanel:
    """Lays out the panel for what the page shows at first."""
    chosen = opening.settings
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        sort_by = gr.Dropdown(
            **_sorts(opening), label="Order of the heatmaps", interactive=True, elem_id="sort-by"
        )
        color_by = gr.Dropdown(
            **_colors(opening), label="Colours of the maps", interactive=True, elem_id="color-by"
        )
        n_groups = gr.Dropdown(
            [AUTOMATIC, *map(str, range(2, MAX_GROUPS + 1))],
            value=AUTOMATIC,
            label="Number of groups",
            elem_id="n-groups",
        )
        similarity = gr.Radio(
            [RAW, CENTERED],
            value=CENTERED if chosen.centered else RAW,
            label="Cosine similarity",
            info="Centred: the mean of all texts is subtracted first.",
            elem_id="similarity",
        )
        method = gr.Radio(list(METHODS), value="UMAP", label="Map", elem_id="method")
        n_neighbors = gr.Slider(
            2, 50, chosen.n_neighbors, step=1, label="UMAP: neighbours", elem_id="n-neighbors"
        )
        min_dist = gr.Slider(0, 0.99, chosen.min_dist, step=0.01, label="UMAP: minimum distance")
        n_masks = gr.Slider(
            1,
            MAX_MASKS,
            chosen.n_masks,
            step=1,
            label="Masks",
            info="Places for the answer; the published checkpoints use 3.",
            elem_id="n-masks",
        )
        seed = gr.Number(chosen.seed, label="Seed", precision=0)
        checkpoint = gr.Dropdown(
            [(_offer(spec.name), spec.name) for spec in registry.CHECKPOINTS.values()],
            value=registry.BUNDLED.name,
            label="Checkpoint",
            info="Takes effect with Explore.",
            elem_id="checkpoint",
        )
    computing = [n_masks, similarity, n_groups, method, n_neighbors, min_dist, seed]
    return SettingsPanel(checkpoint, computing, sort_by, color_by)


def settings(
    n_masks: int,
    similarity: str,
    n_groups: str,
    method: str,
    n_neighbors: int,
    min_dist: float,
    seed: int | None,
) -> Settings:
    """The settings that the panel's components stand for."""
    return Settings(
        n_masks=int(n_masks),
        centered=similarity == CENTERED,
        n_groups=None if n_groups == AUTOMATIC else int(n_groups),
        projection=METHODS[method],
        n_neighbors=int(n_neighbors),
        min_dist=float(min_dist),
        seed=min(abs(int(seed or 0)), MAX_SEED),
    )


def sort_index(sort_by: str) -> int | None:
    """The view that a choice of order means, or None for all together."""
    return None if sort_by == TOGETHER else LETTERS.index(sort_by[-1])


def display_choices(exploration: Exploration, color_by: str) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Updates of `sort_by` and `color_by` for a new exploration, keeping what still exists."""
    colors = _colors(exploration)
    kept = color_by if color_by in exploration.collection.labels else GROUPS
    return gr.Dropdown(**_sorts(exploration)), gr.Dropdown(**colors | {"value": kept})


def _sorts(exploration: Exploration) -> dict[str, Any]:
    by_view = [f"As under {letter}" for letter, _ in zip(LETTERS, exploration.views, strict=False)]
    chosen = exploration.settings.sort_by
    return {
        "choices": [TOGETHER, *by_view],
        "value": TOGETHER if chosen is None else by_view[chosen],
    }


def _colors(exploration: Exploration) -> dict[str, Any]:
    labels = [(f"Label: {name}", name) for name in exploration.collection.labels]
    return {"choices": [("Groups found by the instruction", GROUPS), *labels], "value": GROUPS}


def _offer(name: str) -> str:
    spec = registry.CHECKPOINTS[name]
    size = f"{spec.size_mb / 1000:.1f} GB to download" if spec.size_mb else "no download"
    return f"{spec.title} ({spec.name}, {size})"
