"""InBedder Explorer's library: see how an instruction changes a text embedding.

Heavy libraries load on first use, so that ``import inbedder_core`` stays fast.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "InBedder": "encoder",
    "explore": "exploration",
    "Settings": "schema",
    "Exploration": "schema",
}

__all__ = ["Exploration", "InBedder", "Settings", "explore"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
