"""Writes assets/opening.json, the exploration that the page opens with.

The page is then complete before torch is even imported. Run it again (``make opening``) whenever
the bundled checkpoint, the sample or the way of exploring changes; a test compares the file with
a fresh exploration.
"""

import json

from inbedder_core.encoder import InBedder
from inbedder_core.exploration import explore
from inbedder_core.export import to_dict
from inbedder_core.registry import ASSETS
from inbedder_core.samples import sample
from inbedder_core.schema import Exploration

SAMPLE = "pets"


def opening() -> Exploration:
    """Explores the opening sample under its two starting instructions."""
    chosen, encoder = sample(SAMPLE), InBedder.from_pretrained(dtype="float32")
    return explore(chosen.collection, chosen.starters, encoder=encoder)


def main() -> None:
    """Writes the file."""
    path = ASSETS / "opening.json"
    data = to_dict(opening(), embeddings=True)
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
