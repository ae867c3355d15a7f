"""Measures speed: of the encoder beside other ways, of the page, of a question, of the command.

``python -m inbedder_core.recipes.benchmark`` (``make bench``) measures everything in one run and
prints one table per part. Texts are written from our grammars, so that no data set is needed. What
each number means stands with `side_by_side.Cost` and in `page_times`.

Other tools take part if they are installed:
``.venv/bin/pip install sentence-transformers onnxruntime onnxscript openvino``.
"""

import argparse
import json
import os
import platform
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import AutoConfig

from inbedder_core import devices, projection
from inbedder_core.encoder import InBedder
from inbedder_core.errors import InBedderError, InputError
from inbedder_core.recipes.page_frames import STEPS, NoBrowserError, pans
from inbedder_core.recipes.page_times import STAGES, bulk, growth, question, start
from inbedder_core.recipes.sentences import grammar, names
from inbedder_core.recipes.side_by_side import compare
from inbedder_core.recipes.ways import MASK, N_MASKS, Work, prompt_builder
from inbedder_core.registry import BUNDLED
from inbedder_core.texts import from_file

INSTRUCTION = "What is the topic?"
SENTENCES = (1, 1, 1, 1, 1, 1, 2, 2, 3, 5)
"""Numbers of sentences in a text, each as likely as the others."""

QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
QUICK = {"count": 12, "rounds": 1, "sizes": [12, 40], "bulk": 24}


def written(n: int, seed: int = 0) -> tuple[str, ...]:
    """Different texts of mixed lengths from our grammars."""
    rng, every = random.Random(seed), names()
    texts: dict[str, None] = {}
    while len(texts) < n:
        worlds = rng.choices(every, k=rng.choice(SENTENCES))
        texts[" ".join(grammar(world).write(rng).text for world in worlds)] = None
    return tuple(texts)


def questions(n: int) -> list[str]:
    """Different instructions, `INSTRUCTION` first."""
    asked = [facet.ask[0] for name in names() for facet in grammar(name).facets.values()]
    return list(dict.fromkeys([INSTRUCTION, *asked]))[:n]


def benchmark(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures what the command line says, prints its tables and writes its file.

    Raises:
        InputError: The texts can't be read, or there are too few.
    """
    args = _arguments(argv)
    texts = _read(args.texts) if args.texts else written(max(args.count, *args.sizes))
    results: dict[str, Any] = {"machine": _machine(args.device), "texts": str(args.texts or "")}
    print(", ".join(f"{name}: {value}" for name, value in results["machine"].items()))
    with mock.patch.dict(os.environ, QUIET):  # for the processes that are started
        for part in args.parts:
            results[part] = PARTS[part](texts, args)
            if args.json:
                args.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return results


def _machine(device: str) -> dict[str, str]:
    gpu = {} if device == "cpu" else {"gpu": torch.cuda.get_device_name(device)}
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        **gpu,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _read(path: Path) -> tuple[str, ...]:
    """The different texts of a file."""
    return tuple(dict.fromkeys(from_file(path).texts))


def _encoders(texts: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    builder = prompt_builder()
    prompts = builder.build(texts, [INSTRUCTION] * len(texts), N_MASKS)
    pairs = zip(texts, prompts, strict=True)
    # The card's code fails on a text that is too long, or that has a mask of its own.
    fitting = [(t, p) for t, p in pairs if not p.truncated and MASK not in t][: args.count]
    if not fitting:
        raise InputError("No text is short enough for the card's code.")
    chosen = tuple(text for text, _ in fitting)
    sizes = [len(prompt.input_ids) for _, prompt in fitting]
    with tempfile.TemporaryDirectory() as folder:
        work = Work(chosen, INSTRUCTION, Path(folder), args.device)
        config = AutoConfig.from_pretrained(BUNDLED.source)
        found = compare(work, sizes, config, rounds=args.rounds)
    rows = [
        [
            name,
            f"{cost.texts_per_s:.0f}",
            f"{cost.tokens_per_s:.0f}",
            f"{cost.ratio:.2f}",
            f"{100 * cost.of_peak:.0f}",
            f"{cost.memory_mb:.0f}",
            f"{cost.worst_cosine:.5f}",
        ]
        for name, cost in found.costs.items()
    ]
    mean = sum(sizes) / len(sizes)
    title = f"{len(chosen)} texts, {mean:.0f} tokens each with question and masks (at most "
    title += f"{max(sizes)}), on {args.device}; medians of {args.rounds} rounds"
    head = ["way", "texts/s", "tokens/s", "× the card", "% of peak", "peak MB", "worst cosine"]
    _print_table(title, head, rows)
    for name, why in found.skipped.items():
        print(f"  LEFT OUT: {name} ({why})")
    peaks = ", ".join(f"{value:.0f} in {name}" for name, value in found.peak_gflops.items())
    print(f"  Fastest matrix product, GFLOP/s: {peaks}. The percentage is of the faster one.")
    return {"n": len(chosen), "tokens": sum(sizes)} | asdict(found)


def _start(_texts: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    starts = [start() for _ in range(args.rounds)]
    rows = [
        [label, *(f"{getattr(one, name):.1f}" for one in starts)]
        for label, name in (
            ("page with its opening figures", "answered_s"),
            ("and the scripts and styles it names", "complete_s"),
        )
    ]
    head = ["seconds until there is the", *(f"start {i}" for i, _ in enumerate(starts, 1))]
    _print_table("From the start of the process to the page, without a browser", head, rows)
    page, parts = starts[0].page_bytes / 1e6, starts[0].parts_bytes / 1e6
    print(f"  The page has {page:.1f} MB and its parts {parts:.1f}, uncompressed. What a browser")
    print("  takes to run them and to draw comes on top.")
    return {"starts": [asdict(one) for one in starts]}


def _question(texts: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    devices.keep_few_products()  # as the page does
    encoder = InBedder.from_pretrained(device=args.device)
    asked = questions(args.rounds + 1)
    # The first use of UMAP compiles it, which the page does before anybody asks.
    projection.warm_up()
    found = [question(encoder, texts[:n], asked) for n in _sizes(texts, args)]
    powers = [growth(small, large) for small, large in pairwise(found)]
    rows = [
        [
            stage,
            *(f"{one.seconds[stage]:.2f}" for one in found),
            *(f"{power[stage]:.1f}" for power in powers),
        ]
        for stage in STAGES
    ]
    rows.append(["all", *(f"{one.total_s:.2f}" for one in found), *[""] * len(powers)])
    sizes_of = {
        "to the browser, kB": [one.page_bytes / 1e3 for one in found],
        "the texts alone": [one.text_bytes / 1e3 for one in found],
        "peak memory, MB": [one.peak_mb for one in found],
    }
    for label, numbers in sizes_of.items():
        rows.append([label, *(f"{number:.0f}" for number in numbers), *[""] * len(powers)])
    head = ["stage", *(f"n = {one.n}" for one in found)]
    head += [f"{a.n}–{b.n}: n^" for a, b in pairwise(found)]
    title = "Seconds from a second instruction to all figures of both, and growth with n"
    _print_table(f"{title}; medians of {args.rounds} questions", head, rows)
    return {"sizes": [asdict(one) for one in found], "growth": powers}


def _pan(texts: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    try:
        renderer, found = pans(texts, _sizes(texts, args))
    except NoBrowserError as error:
        print(f"\nLEFT OUT: frames in a browser ({error})")
        return {}
    rows = [
        [label, *(f"{getattr(one, name):.0f}" for one in found)]
        for label, name in (
            ("from frame to frame, the median", "frame_ms"),
            ("the longest", "longest_ms"),
            ("the page's own work for a move", "work_ms"),
        )
    ]
    title = f"Panning a map in a browser, {STEPS} moves of the mouse, drawn by {renderer}"
    _print_table(title, ["milliseconds", *(f"n = {one.n}" for one in found)], rows)
    return {"renderer": renderer, "sizes": [asdict(one) for one in found]}


def _bulk(texts: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    if not Path("/proc/self/status").exists():
        print("LEFT OUT: the memory of the command line (it is read from Linux's /proc)")
        return {}
    found = bulk(texts, args.bulk, INSTRUCTION, args.device)
    quarters = [f"{memory:.0f}" for memory in found.memory_mb]
    head = ["texts/s", *(f"quarter {i}" for i in range(1, 5)), "peak"]
    row = [f"{found.texts_per_s:.0f}", *quarters, f"{found.peak_mb:.0f}"]
    title = f"python -m inbedder_core embed, {found.n} texts: memory in MB, in each quarter of"
    _print_table(f"{title} the time", head, [row])
    return asdict(found)


def _sizes(texts: Sequence[str], args: argparse.Namespace) -> list[int]:
    """The sizes that were asked for and that there are texts for."""
    sizes = sorted(set(args.sizes))
    for size in (size for size in sizes if size > len(texts)):
        print(f"LEFT OUT: {size} texts (there are {len(texts)})")
    return [size for size in sizes if size <= len(texts)]


PARTS: dict[str, Callable[[Sequence[str], argparse.Namespace], dict[str, Any]]] = {
    "encoders": _encoders,
    "start": _start,
    "question": _question,
    "pan": _pan,
    "bulk": _bulk,
}


def _print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}")
    for name, *cells in (head, *rows):
        numbers = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        print("  ".join([f"  {name:<{widths[0]}}", *numbers]))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m inbedder_core.recipes.benchmark",
        description="Measures speed and memory: all in one run, on the bundled checkpoint.",
    )
    add = parser.add_argument
    add("--texts", type=Path, metavar="FILE", help="texts to use instead of our own")
    add("--count", type=_positive, default=800, help="texts for the encoders (default 800)")
    add("--rounds", type=_positive, default=5, help="how often all is measured (default 5)")
    add(
        "--sizes",
        type=_positive,
        nargs="+",
        default=[200, 1000, 5000, 10_000],
        metavar="N",
        help="numbers of texts for a question (default 200 1000 5000 10000)",
    )
    add("--bulk", type=_positive, default=100_000, help="texts for the command line (100000)")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which (default all)")
    add("--device", default="cpu", help="cpu (default), or cuda, which some ways don't know")
    add("--json", type=Path, metavar="OUT", help="writes the results there too")
    add("--quick", action="store_true", help="very few texts, to see that everything works")
    args = parser.parse_args(argv)
    if args.quick:
        vars(args).update(QUICK)
    return args


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 up")
    return int(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark; a fault of the input is one sentence."""
    try:
        benchmark(argv)
    except InBedderError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
