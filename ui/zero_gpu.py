"""ZeroGPU: a Hugging Face Space may borrow a GPU for the time of one call.

Such a call runs in a process of its own, so nothing but its arguments and its result crosses over.
Everywhere else `lent` gives back the encoder that it was given. To be imported before torch.
"""

import os
from collections.abc import Callable, Sequence
from typing import cast

from inbedder_core.errors import InBedderError
from inbedder_core.registry import BUNDLED
from inbedder_core.schema import Encoder, Encoding, ModelSpec, OnProgress

SETUP_S, TEXTS_PER_S = 20, 100  # generous: a call that takes longer than it asked for is ended

_encoders: dict[str, Encoder] = {}
"""The encoders that lent calls find by name: a process starts with a copy of this."""


def lent(encoder: Encoder) -> Encoder:
    """The same encoder, whose every call borrows a GPU if this Space has ZeroGPU."""
    if not on_zero_gpu():
        return encoder
    for other in _encoders.keys() - {BUNDLED.name}:
        del _encoders[other]  # as many in memory as without ZeroGPU
    _encoders[encoder.spec.name] = encoder
    return _Lent(encoder.spec)


def on_zero_gpu() -> bool:
    """Whether this is a Space with ZeroGPU."""
    return "SPACES_ZERO_GPU" in os.environ


def seconds(name: str, texts: Sequence[str], instruction: str, n_masks: int, top_k: int) -> int:
    """How long a call of `_read` may take, which ZeroGPU wants to know beforehand."""
    return SETUP_S + len(texts) // TEXTS_PER_S


def _read(
    name: str, texts: Sequence[str], instruction: str, n_masks: int, top_k: int
) -> Encoding | InBedderError:
    """The encoding, or what is wrong: of what is raised, only the class's name crosses over."""
    try:
        if name not in _encoders:  # this process began before the checkpoint was loaded
            _encoders[name] = _loaded(name)
        return _encoders[name](texts, instruction, n_masks, top_k=top_k)
    except InBedderError as error:
        return error


def _loaded(name: str) -> Encoder:
    from inbedder_core.encoder import InBedder

    return InBedder.from_pretrained(name)


if on_zero_gpu():
    import spaces

    _read = cast(Callable[..., Encoding | InBedderError], spaces.GPU(duration=seconds)(_read))


class _Lent:
    """An encoder whose calls run where the GPU is."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def __call__(
        self,
        texts: Sequence[str],
        instruction: str,
        n_masks: int = 3,
        *,
        top_k: int = 5,
        on_progress: OnProgress | None = None,
    ) -> Encoding:
        """Reads n texts; progress is told at the end, as it can't cross over."""
        encoding = _read(self.spec.name, texts, instruction, n_masks, top_k)
        if isinstance(encoding, InBedderError):
            raise encoding
        if on_progress is not None:
            on_progress(len(texts), len(texts))
        return encoding
