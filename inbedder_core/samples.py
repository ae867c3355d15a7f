"""The bundled sample collections: what the page opens with, and what lessons are taught on."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inbedder_core.errors import InputError
from inbedder_core.schema import Collection

FOLDER = Path(__file__).parents[1] / "assets" / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """A bundled collection with instructions to try on it.

    Attributes:
        name: The stem of its file.
        title: What menus show, beside the emoji.
        emoji: One character.
        description: One sentence.
        instructions: Good instructions, each with the facet (label column) that it asks for.
        bad_instruction: An instruction that fails here, and one sentence that says why.
        collection: The texts, every one labelled under every facet.
    """

    name: str
    title: str
    emoji: str
    description: str
    instructions: tuple[tuple[str, str], ...]
    bad_instruction: tuple[str, str]
    collection: Collection

    @property
    def starters(self) -> list[str]:
        """The first instruction of each of the first two facets: the same texts, asked twice."""
        by_facet: dict[str, str] = {}
        for instruction, facet in self.instructions:
            by_facet.setdefault(facet, instruction)
        return list(by_facet.values())[:2]


@cache
def samples() -> tuple[Sample, ...]:
    """All bundled collections, "pets" first and the others by title."""
    found = [_sample(json.loads(path.read_text("utf-8"))) for path in FOLDER.glob("*.json")]
    return tuple(sorted(found, key=lambda sample: (sample.name != "pets", sample.title)))


def sample(name: str) -> Sample:
    """The bundled collection of that name; raises `InputError` if there is none."""
    known = {found.name: found for found in samples()}
    if name not in known:
        raise InputError(f"There is no such sample. Choose one of: {', '.join(known)}.")
    return known[name]


def _sample(data: dict[str, Any]) -> Sample:
    texts, bad = data.pop("texts"), data.pop("bad_instruction")
    facets = dict.fromkeys(facet for text in texts for facet in text["labels"])
    labels = {facet: tuple(text["labels"].get(facet, "") for text in texts) for facet in facets}
    return Sample(
        instructions=tuple((one["instruction"], one["facet"]) for one in data.pop("instructions")),
        bad_instruction=(bad["instruction"], bad["why"]),
        collection=Collection(tuple(text["text"] for text in texts), labels),
        **data,
    )
