"""The named endpoint ``/explore``: texts and instructions in, the exploration as JSON out."""

from typing import Annotated, Any

import gradio as gr
from pydantic import Field, StrictStr, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from inbedder_core import registry
from inbedder_core.errors import InBedderError, InputError
from inbedder_core.exploration import explore
from inbedder_core.export import to_dict
from inbedder_core.schema import ProjectionMethod, Settings
from ui.session import checkpoint as load
from ui.settings_panel import MAX_SEED


class _Request(TypedDict):
    texts: list[StrictStr]
    instructions: list[StrictStr]
    n_masks: int
    centered: bool
    n_groups: int | None
    projection: ProjectionMethod
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    checkpoint: StrictStr


_REQUEST = TypeAdapter(_Request)


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
    try:
        given = _checked(locals())
        names = ("n_masks", "centered", "n_groups", "projection", "seed")
        settings = Settings(**{name: given[name] for name in names})
        encoder = load(given["checkpoint"])
        found = explore(given["texts"], given["instructions"], encoder=encoder, settings=settings)
    except InBedderError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return to_dict(found)


def add() -> None:
    """Adds the endpoint to the page that is being built."""
    gr.api(explore_endpoint, api_name="explore", concurrency_limit=1, concurrency_id="work")


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """The request with every value of its type, or a sentence that doesn't quote the values."""
    try:
        return dict(_REQUEST.validate_python(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: {first['msg']}.") from None
