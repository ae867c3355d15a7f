"""Ways to encode, measured side by side: time, memory, and how near the results are.

Every way lives in a process of its own, so that its memory is its own and no thread pool disturbs
another. They work one at a time and take turns, so that a slow minute of the machine hits all.
"""

import random
import re
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

from inbedder_core.recipes.ways import REFERENCE, WAYS, Encode, Way, Work
from inbedder_core.schema import FloatArray

PAUSE = 0.2  # seconds, until the threads of the one before have stopped waiting for more
PRECISIONS = (torch.float32, torch.bfloat16)
_SIZES, _REPEATS = (1024, 2048), 5


class Lap(NamedTuple):
    """One pass over all texts.

    Attributes:
        seconds: From strings to embeddings.
        result: (n, d) embeddings.
        memory_mb: The most memory that the process has held so far, in 10^6 bytes.
    """

    seconds: float
    result: FloatArray
    memory_mb: float


@dataclass(frozen=True)
class Cost:
    """What a way costs.

    Attributes:
        seconds: Of every timed pass over all texts.
        texts_per_s: In the median pass.
        tokens_per_s: In the median pass; padding is no token.
        ratio: How many times as fast as `REFERENCE`: the median over the rounds.
        of_peak: Arithmetic that the texts need in the plain model, by what the machine could have
            done in that time. A way that leaves out work is praised for it.
        memory_mb: The most memory that its process ever held, Python and libraries included; on
            a GPU the most that torch held there.
        worst_cosine: The smallest over the texts, to the embeddings of `REFERENCE`.
    """

    seconds: tuple[float, ...]
    texts_per_s: float
    tokens_per_s: float
    ratio: float
    of_peak: float
    memory_mb: float
    worst_cosine: float


@dataclass(frozen=True)
class Comparison:
    """The result.

    Attributes:
        costs: By the names of the ways.
        peak_gflops: Fastest matrix product that was seen, by precision.
        skipped: Ways that could not be measured, and why.
    """

    costs: dict[str, Cost]
    peak_gflops: dict[str, float]
    skipped: dict[str, str]


def compare(
    work: Work, tokens: Sequence[int], config: Any, *, rounds: int, ways: Sequence[Way] = WAYS
) -> Comparison:
    """Measures every way that is installed.

    Args:
        work: What they are to do.
        tokens: How many tokens each text has with question and masks.
        config: The checkpoint's configuration.
        rounds: Number of timed passes of each, after one that is not timed.
        ways: Which; the reference must be among them.

    Raises:
        RuntimeError: A way that needs nothing special has ended.
    """
    skipped = {way.name: why for way in ways if (why := _missing(way, work.device))}
    laps, peaks = _take_turns(work, [way for way in ways if way.name not in skipped], rounds)
    skipped |= {way.name: "it ended; see above" for way in ways if way.name not in laps | skipped}
    needed, peak = needed_gflop(config, tokens), peaks.max()
    reference = laps[REFERENCE.name]
    costs = {}
    for name, own in laps.items():
        seconds = tuple(lap.seconds for lap in own)
        pairs = zip(reference, own, strict=True)
        costs[name] = Cost(
            seconds=seconds,
            texts_per_s=len(tokens) / median(seconds),
            tokens_per_s=sum(tokens) / median(seconds),
            ratio=median(theirs.seconds / lap.seconds for theirs, lap in pairs),
            of_peak=float(needed / median(seconds) / peak),
            memory_mb=max(lap.memory_mb for lap in own),
            worst_cosine=min(_worst_cosine(reference[0].result, lap.result) for lap in own),
        )
    names = [str(precision).removeprefix("torch.") for precision in PRECISIONS]
    return Comparison(costs, dict(zip(names, peaks.tolist(), strict=True)), skipped)


def needed_gflop(config: Any, tokens: Sequence[int]) -> float:
    """10^9 operations of the transformer's matrix products on texts of these lengths, unpadded."""
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    per_token = layers * (8 * hidden**2 + 4 * hidden * inner)
    per_pair = layers * 4 * hidden  # of tokens that attend to each other
    return float(sum(per_token * t + per_pair * t**2 for t in tokens)) / 1e9


def matrix_products(work: Work) -> Encode:
    """No way to encode: its result is the fastest matrix product in GFLOP/s, by precision."""
    cuda = work.device.startswith("cuda")
    sizes = [8192] if cuda else _SIZES

    @torch.inference_mode()
    def gflops(size: int, precision: torch.dtype) -> float:
        one = torch.rand(size, size, dtype=precision, device=work.device)
        best = float("inf")
        for _ in range(_REPEATS):
            began = time.perf_counter()
            one @ one
            if cuda:
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - began)
        return 2e-9 * size**3 / best

    return lambda _texts: np.array(
        [max(gflops(size, precision) for size in sizes) for precision in PRECISIONS], np.float32
    )


def _missing(way: Way, device: str) -> str:
    """Why a way can't be measured here, or nothing."""
    if way.cpu_only and device != "cpu":
        return f"it is not for {device}"
    if any(find_spec(package) is None for package in way.needs):
        return f"not installed: .venv/bin/pip install {' '.join(way.needs)}"
    return ""


def _take_turns(
    work: Work, ways: Sequence[Way], rounds: int
) -> tuple[dict[str, list[Lap]], FloatArray]:
    """The timed passes of every way, and the fastest matrix products."""
    with ExitStack() as stack:
        ruler = stack.enter_context(_running(Way("matrix products", matrix_products), work))
        pipes = {way.name: stack.enter_context(_running(way, work)) for way in ways}
        for way in ways:  # what is made on first use is made now, and not timed
            try:
                _ask(pipes[way.name])
            except EOFError:
                if not way.needs:
                    raise RuntimeError(f"{way.name} ended; what it said stands above.") from None
                del pipes[way.name]
        laps: dict[str, list[Lap]] = {name: [] for name in pipes}
        peaks, rng = [_ask(ruler).result], random.Random(0)
        for _ in range(rounds):
            for name in rng.sample(list(pipes), len(pipes)):
                laps[name].append(_ask(pipes[name]))
            peaks.append(_ask(ruler).result)
    return laps, np.max(peaks, axis=0)


@contextmanager
def _running(way: Way, work: Work) -> Iterator["Connection[Any, Any]"]:
    """A process that waits to be asked; it ends when the pipe is closed."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, way, work), name=way.name)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _ask(pipe: "Connection[Any, Any]") -> Lap:
    time.sleep(PAUSE)
    try:
        pipe.send(None)
        lap: Lap = pipe.recv()
    except ConnectionError as error:
        raise EOFError from error
    return lap


def _serve(pipe: "Connection[Any, Any]", way: Way, work: Work) -> None:
    encode, texts = way.load(work), list(work.texts)
    with suppress(EOFError):
        while True:
            pipe.recv()
            began = time.perf_counter()
            result = encode(texts)
            seconds = time.perf_counter() - began
            pipe.send(Lap(seconds, result, peak_mb(work.device)))


def peak_mb(device: str = "cpu") -> float:
    """The most memory that this process has held, in 10^6 bytes; on a GPU, that torch has held."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 1e6
    status = Path("/proc/self/status")
    if status.exists():  # what Linux's getrusage says includes the process that started this one
        [kibibytes] = re.findall(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))
        return int(kibibytes) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def _worst_cosine(a: FloatArray, b: FloatArray) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float((np.einsum("nd,nd->n", a, b, dtype=np.float64) / lengths).min())
