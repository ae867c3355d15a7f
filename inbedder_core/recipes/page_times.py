"""How long people wait: for the page, for a new question, and for a large collection.

There is no browser here: what it needs to run the page's scripts and to draw comes on top.
"""

import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import getmembers, isfunction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from inbedder_core import clustering, comparison, projection, similarity
from inbedder_core.cache import CachedEncoder, Memo
from inbedder_core.exploration import explore
from inbedder_core.payload import payload, to_json
from inbedder_core.recipes.side_by_side import peak_mb
from inbedder_core.schema import Encoder, Exploration

ROOT = Path(__file__).parents[2]
MODULES = {
    "similarity, order": similarity,
    "clustering": clustering,
    "projection": projection,
    "comparison": comparison,
}
STAGES = ("encode", *MODULES, "figures", "other")
OPENING = b'\\"texts_id\\"'
"""What the page holds when the opening figures are in it."""
_PATIENCE = 180  # seconds; the first start of a cold machine reads hundreds of megabytes
_PARTS = rb'(?:src|href)="\./(assets/[^"]+)"|/(gradio_api/file=[^"\\]+)'
_GLANCE = 0.1  # seconds between two looks at a process


@dataclass(frozen=True)
class Start:
    """One start of the app.

    Attributes:
        answered_s: From the start of the process to the page with its opening figures.
        complete_s: The same with the scripts and styles that the page names, plotly.js included.
        page_bytes: Size of the page, the opening figures included.
        parts_bytes: Size of those scripts and styles.
    """

    answered_s: float
    complete_s: float
    page_bytes: int
    parts_bytes: int


def start() -> Start:
    """Starts app.py as a person does, and fetches the page as a browser does.

    Raises:
        RuntimeError: It ended, or did not answer in time.
    """
    began = time.perf_counter()
    with running_app() as (url, page):
        answered = time.perf_counter() - began
        named = {(part or file).decode() for part, file in re.findall(_PARTS, page)}
        parts = [_fetch(url + name) for name in named]
        complete = time.perf_counter() - began
    if OPENING not in page:
        raise RuntimeError("The page came without its opening figures.")
    return Start(answered, complete, len(page), sum(map(len, parts)))


@contextmanager
def running_app() -> Iterator[tuple[str, bytes]]:
    """Runs app.py and yields its URL and its page, once it answers.

    Raises:
        RuntimeError: It ended, or did not answer in time.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    app = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=os.environ | where, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        yield url, _first_answer(app, url)
    finally:
        app.terminate()
        app.wait()


@dataclass(frozen=True)
class Question:
    """A second instruction for texts that were read under a first: what the page computes then.

    Attributes:
        n: Number of texts.
        seconds: Of each of `STAGES`, the median over the rounds.
        total_s: Median of their sum.
        page_bytes: What goes to the browser: texts, answers, neighbours and figures of both
            instructions.
        text_bytes: What the texts alone would take.
        peak_mb: The most memory that this process has held so far, in 10^6 bytes.
    """

    n: int
    seconds: dict[str, float]
    total_s: float
    page_bytes: int
    text_bytes: int
    peak_mb: float


def question(encoder: Encoder, texts: Sequence[str], instructions: Sequence[str]) -> Question:
    """Asks one new instruction after the other, beside the first.

    Args:
        encoder: Who reads the texts.
        texts: n different texts.
        instructions: The first, and then one for each round.
    """
    cached, memo = CachedEncoder(encoder), Memo()  # as a session of the page has them
    first, *others = instructions
    explore(texts, first, encoder=cached, memo=memo)
    rounds, sizes = [], []
    for instruction in others:
        clock = Clock()
        with _watching(clock):
            exploration = explore(texts, [first, instruction], encoder=cached, memo=memo)
            sent = clock.watched("figures", _sent)(exploration)
        rounds.append(clock.stop())
        sizes.append(len(sent.encode()))
    return Question(
        n=len(texts),
        seconds={stage: median(one[stage] for one in rounds) for stage in STAGES},
        total_s=median(sum(one.values()) for one in rounds),
        page_bytes=max(sizes),
        text_bytes=len(to_json({"texts": list(texts)}).encode()),
        peak_mb=peak_mb(),
    )


def growth(small: Question, large: Question) -> dict[str, float]:
    """The exponents e with which the stages grow from one n to a larger one: seconds ~ n^e."""
    texts = math.log(large.n / small.n)
    return {
        stage: math.log(large.seconds[stage] / small.seconds[stage]) / texts for stage in STAGES
    }


class Clock:
    """Divides time among stages: all of it belongs to the stage that was entered last."""

    def __init__(self) -> None:
        """Starts in the stage "other"."""
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._stage, self._since = "other", time.perf_counter()

    def switch(self, stage: str) -> str:
        """Enters a stage and returns the one before."""
        now, before = time.perf_counter(), self._stage
        self._seconds[before] += now - self._since
        self._stage, self._since = stage, now
        return before

    def watched(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, whose time belongs to a stage."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            before = self.switch(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch(before)

        return timed

    def stop(self) -> Mapping[str, float]:
        """Seconds of every stage so far."""
        self.switch(self._stage)
        return self._seconds


@contextmanager
def _watching(clock: Clock) -> Iterator[None]:
    """Lets the public functions of `MODULES` tell the clock, and the encoder too."""
    with ExitStack() as stack:
        encode = clock.watched("encode", CachedEncoder.__call__)
        stack.enter_context(mock.patch.object(CachedEncoder, "__call__", encode))
        for stage, module in MODULES.items():
            for name, function in getmembers(module, isfunction):
                if not name.startswith("_") and function.__module__ == module.__name__:
                    watched = clock.watched(stage, function)
                    stack.enter_context(mock.patch.object(module, name, watched))
        yield


def _sent(exploration: Exploration) -> str:
    """What the page gets."""
    return to_json(payload(exploration))


@dataclass(frozen=True)
class Bulk:
    """A run of ``python -m inbedder_core embed``.

    Attributes:
        n: Number of texts.
        texts_per_s: The start of the process included.
        memory_mb: Median memory of the process, in 10^6 bytes, in each quarter of its time.
        peak_mb: The most.
    """

    n: int
    texts_per_s: float
    memory_mb: list[float]
    peak_mb: float


def bulk(texts: Sequence[str], n: int, instruction: str, device: str) -> Bulk:
    """Embeds n texts from the command line and looks at its memory. Linux only.

    Args:
        texts: Texts to repeat, each time with another number.
        n: Number of texts.
        instruction: What is asked of each.
        device: See `InBedder`.

    Raises:
        RuntimeError: The command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts.jsonl")
        with source.open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"text": f"{texts[i % len(texts)]} ({i})"}) + "\n" for i in range(n)
            )
        command = [sys.executable, "-m", "inbedder_core", "embed", "--input", str(source)]
        command += ["--text-column", "text", "--instruction", instruction]
        command += ["--output", str(Path(folder, "parts")), "--device", device]
        began, memory = time.perf_counter(), []
        run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        while run.poll() is None:
            memory.append(_memory_mb(run.pid))
            time.sleep(_GLANCE)
        seconds = time.perf_counter() - began
    if run.returncode:
        raise RuntimeError(f"The command ended with {run.returncode}: {' '.join(command)}")
    ends = [len(memory) * quarter // 4 for quarter in range(5)]
    quarters = [median(memory[a:b]) for a, b in pairwise(ends)]
    return Bulk(n, n / seconds, quarters, max(memory))


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    held = re.search(r"VmRSS:\s+(\d+)", status)  # a process that is ending has none
    return int(held[1]) * 1024 / 1e6 if held else 0.0


def _first_answer(app: subprocess.Popen[bytes], url: str) -> bytes:
    end = time.monotonic() + _PATIENCE
    while app.poll() is None and time.monotonic() < end:
        try:
            return _fetch(url)
        except OSError:  # nobody listens yet
            time.sleep(_GLANCE)
    ended = "did not answer in time" if app.poll() is None else f"ended with {app.returncode}"
    raise RuntimeError(f"app.py {ended}.")


def _fetch(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_PATIENCE) as answer:
        content: bytes = answer.read()
    return content
