"""What a visitor has (per session) and what all visitors share (the loaded checkpoints)."""

import threading
import time
from typing import Any, Self

from inbedder_core import projection, registry
from inbedder_core.cache import CachedEncoder, Memo
from inbedder_core.errors import Cancelled
from inbedder_core.schema import Encoder, Exploration
from ui import zero_gpu

_loading = threading.Lock()
_loaded: dict[str, Encoder] = {}
"""Checkpoints in memory, at most two: the bundled one and the last other one."""


def checkpoint(name: str) -> Encoder:
    """Loads a checkpoint that visitors may use, once per process.

    Args:
        name: What the visitor chose.

    Returns:
        The encoder. On a Space with ZeroGPU, its calls borrow the GPU.

    Raises:
        CheckpointError: It is not allowed here, or can't be loaded.
    """
    from inbedder_core import devices
    from inbedder_core.encoder import InBedder

    devices.keep_few_products()
    spec = registry.allowed(name)
    with _loading:
        if spec.name not in _loaded:
            encoder = zero_gpu.lent(InBedder.from_pretrained(name))
            for other in _loaded.keys() - {registry.BUNDLED.name}:
                del _loaded[other]
            _loaded[spec.name] = encoder
        return _loaded[spec.name]


def warm_up(delay: float = 0) -> threading.Thread:
    """Loads the bundled checkpoint, then compiles UMAP, without keeping anybody waiting.

    Args:
        delay: Seconds to leave the processor to others first.

    Returns:
        The thread that does it, already started.
    """

    def work() -> None:
        time.sleep(delay)
        checkpoint(registry.BUNDLED.name)
        projection.warm_up()

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


class Session:
    """One visitor's work. It lives in a `gr.State`: in memory, and only as long as the visit."""

    def __init__(self, exploration: Exploration | None = None) -> None:
        """Starts a session.

        Args:
            exploration: What the page shows at first.
        """
        self.exploration = exploration
        self.memo = Memo()
        self._encoder: CachedEncoder | None = None
        self._stop = threading.Event()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Gradio copies a state's first value for every visitor: each gets a session of its own."""
        return type(self)(self.exploration)

    def encoder(self, name: str) -> CachedEncoder:
        """The chosen checkpoint, with this visitor's remembered embeddings."""
        if self._encoder is None or self._encoder.spec.name != registry.allowed(name).name:
            self._encoder = CachedEncoder(checkpoint(name))
        return self._encoder

    def start(self) -> None:
        """Begins a piece of work."""
        self._stop.clear()

    def cancel(self) -> None:
        """Asks the work to stop."""
        self._stop.set()

    def raise_if_cancelled(self) -> None:
        """To be called between two steps of the work."""
        if self._stop.is_set():
            raise Cancelled("Cancelled. Nothing that you typed is lost.")
