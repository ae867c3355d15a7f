"""The named endpoint ``/explore``: texts and instructions in, the exploration as JSON out."""

from typing import Any

import gradio as gr

from inbedder_core import registry
from inbedder_core.errors import InBedderError
from inbedder_core.exploration import explore
from inbedder_core.export import to_dict
from inbedder_core.schema import ProjectionMethod, Settings
from ui.session import checkpoint as load


def explore_endpoint(
    texts: list[str],
    instructions: list[str],
    n_masks: int = 3,
    centered: bool = False,
    n_groups: int | None = None,
    projection: ProjectionMethod = "umap",
    seed: int = 42,
    checkpoint: str = registry.BUNDLED.name,
) -> dict[str, Any]:
    """See the same texts under one or more instructions.

    Args:
        texts: The texts, up to 10,000.
        instructions: One to four questions about each text, such as "What animal is mentioned?".
        n_masks: Number of masks, 1 to 10.
        centered: Subtract the mean embedding before taking cosine similarities.
        n_groups: Number of groups; null chooses it.
        projection: "umap", "pca" or "mds".
        seed: Seed of everything random.
        checkpoint: A checkpoint that this app offers.

    Returns:
        Per instruction: answers, groups with names, map, neighbours and heatmap; between
        instructions: agreement, and how far every text moved.
    """
    settings = Settings(
        n_masks=n_masks, centered=centered, n_groups=n_groups, projection=projection, seed=seed
    )
    try:
        return to_dict(explore(texts, instructions, encoder=load(checkpoint), settings=settings))
    except InBedderError as error:
        raise gr.Error(str(error), print_exception=False) from error


def add() -> None:
    """Adds the endpoint to the page that is being built."""
    gr.api(explore_endpoint, api_name="explore", concurrency_limit=1, concurrency_id="work")
