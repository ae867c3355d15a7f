"""The tests of the paper (Peng et al., ACL 2024), and plain STS-B.

Data come from the hub through ``datasets``, or from a folder with ``NAME.jsonl`` (or .jsonl.gz),
``NAME-CONFIG.jsonl`` where a data set has several configs. Lines are as on the hub: ``{"text",
"cluster"}`` or ``{"sentences": […], "labels": […]}``, ``{"anchor", "positive", "negative"}``, or
``{"sentence1", "sentence2", "instruction", "score"}``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from inbedder_core.errors import InputError
from inbedder_core.recipes.controls import EncodeEach
from inbedder_core.recipes.metrics import harmonic_mean, paper_v_measure, spearman, success_rate
from inbedder_core.recipes.suites import file_of, read_lines

INSTRUCTIONS = Path(__file__).with_name("paper.json")
STSB = "mteb/stsbenchmark-sts"
AWARENESS = ("IntentEmotion", "InstructSTSB", "NYTClustering")
"""The tests whose mean is the score that the paper's README gives."""

Rows = Sequence[Mapping[str, Any]]
Measure = Callable[[EncodeEach, Rows, str], float]


@dataclass(frozen=True, slots=True)
class Task:
    """One data set of the paper.

    Attributes:
        name: Its name.
        hub: ``owner/name`` on the hub.
        revision: The commit that the paper's code names.
        metric: "triplets", "pairs" or "clusters".
        instructions: Config of the data set ("" if there is only one) -> instruction ("" if every
            row brings its own).
        robustness: "correct", "implicit" and "incorrect" -> ten instructions each, or empty.
        robust_config: The config that `robustness` belongs to.
    """

    name: str
    hub: str
    revision: str
    metric: str
    instructions: Mapping[str, str]
    robustness: Mapping[str, Sequence[str]]
    robust_config: str


@dataclass(frozen=True, slots=True)
class TaskScore:
    """A score of one task, × 100.

    Attributes:
        task: The task's name.
        metric: What was measured, in words.
        score: The score; with several configs their harmonic mean.
        parts: Config ("" if there is only one) -> its own score.
    """

    task: str
    metric: str
    score: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Robustness:
    """V-measures × 100 of one task under other wordings.

    Attributes:
        task: The task's name.
        scores: "correct", "implicit" and "incorrect" -> a score per instruction.
    """

    task: str
    scores: Mapping[str, Sequence[float]]

    def margin(self, kind: str = "correct") -> float:
        """The worst score of a kind above the best of the incorrect instructions."""
        return min(self.scores[kind]) - max(self.scores["incorrect"])


@cache
def tasks() -> tuple[Task, ...]:
    """The paper's tasks with their instructions."""
    told = json.loads(INSTRUCTIONS.read_text("utf-8"))["tasks"]
    return tuple(_task(name, dict(about)) for name, about in told.items())


def score_task(
    encode: EncodeEach, task: Task, folder: Path | None = None, limit: int | None = None
) -> TaskScore:
    """Scores one task as the paper does.

    Args:
        encode: Embeds n texts under one instruction for all, or one per text.
        task: One of `tasks`.
        folder: Where the data are; None reads them from the hub.
        limit: At most so many rows (or texts of a clustering), evenly spread.

    Raises:
        InputError: The data can't be read.
    """
    words, measure = METRICS[task.metric]
    parts = {
        config: measure(encode, _spread(_rows(task, config, folder), limit), instruction)
        for config, instruction in task.instructions.items()
    }
    if len(parts) > 1:
        words = f"harmonic mean, {words}"
    return TaskScore(task.name, words, harmonic_mean(list(parts.values())), parts)


def robustness(
    encode: EncodeEach, task: Task, folder: Path | None = None, limit: int | None = None
) -> Robustness:
    """Scores one task under its correct, implicit and incorrect instructions; see `score_task`."""
    measure = METRICS[task.metric][1]
    rows = _spread(_rows(task, task.robust_config, folder), limit)
    scores = {
        kind: [measure(encode, rows, instruction) for instruction in instructions]
        for kind, instructions in task.robustness.items()
    }
    return Robustness(task.name, scores)


def available(folder: Path | None) -> list[Task]:
    """The tasks whose data a folder holds; all, if they come from the hub.

    Raises:
        InputError: The folder holds none.
    """
    if folder is None:
        return list(tasks())
    found = [
        task
        for task in tasks()
        if all(file_of(folder, _stem(task, config)) for config in task.instructions)
    ]
    if not found:
        names = ", ".join(_stem(task, config) for task in tasks() for config in task.instructions)
        raise InputError(
            f"{folder} has no data of the paper. Its files are NAME.jsonl of: {names}."
        )
    return found


def stsb(data: Path | None = None, limit: int | None = None) -> dict[str, Rows]:
    """The pairs of STS-B by split: ``sentence1``, ``sentence2`` and ``score``.

    Args:
        data: A .jsonl or .jsonl.gz file with an optional ``split`` on every line, or the folder
            of ``stsb_pairs.jsonl.gz``; None reads the test split from the hub.
        limit: At most so many pairs of each split, evenly spread.

    Raises:
        InputError: The data can't be read.
    """
    wanted = ("sentence1", "sentence2", "score")
    if data is None:
        return {"test": _spread(_checked(_from_hub(STSB, "", None), wanted, STSB), limit)}
    folder, name = (data, "stsb_pairs") if data.is_dir() else (data.parent, data.name)
    lines = _checked(read_lines(folder, name, wanted, optional={"split": "all"}), wanted, name)
    splits = dict.fromkeys(line["split"] for line in lines)
    return {
        str(split): _spread([line for line in lines if line["split"] == split], limit)
        for split in splits
    }


def score_pairs(encode: EncodeEach, rows: Rows, instruction: str) -> float:
    """Spearman × 100 of cosines and scores; "" takes the rows' own instructions, if any."""
    asked = [instruction or row.get("instruction", "") for row in rows]
    first, second = (
        encode([str(row[key]) for row in rows], asked) for key in ("sentence1", "sentence2")
    )
    return spearman(first, second, [float(row["score"]) for row in rows])


def _score_triplets(encode: EncodeEach, rows: Rows, instruction: str) -> float:
    texts = [str(row[key]) for key in ("anchor", "positive", "negative") for row in rows]
    return success_rate(*np.split(encode(texts, instruction), 3))


def _score_clusters(encode: EncodeEach, rows: Rows, instruction: str) -> float:
    """The mean V-measure over the clusterings of a data set, which often is one."""
    scores = []
    for row in rows:
        labels = [str(label) for label in row["labels"]]
        scores.append(paper_v_measure(encode(row["sentences"], instruction), labels))
    return float(np.mean(scores))


METRICS: dict[str, tuple[str, Measure]] = {
    "triplets": ("triplet accuracy", _score_triplets),
    "pairs": ("Spearman", score_pairs),
    "clusters": ("V-measure", _score_clusters),
}

FIELDS = {
    "triplets": ("anchor", "positive", "negative"),
    "pairs": ("sentence1", "sentence2", "instruction", "score"),
    "clusters": ("sentences", "labels"),
}


def _task(name: str, about: dict[str, Any]) -> Task:
    robust = dict(about.pop("robustness", {}))
    return Task(name=name, robust_config=robust.pop("config", ""), robustness=robust, **about)


def _stem(task: Task, config: str) -> str:
    return f"{task.name}-{config}" if config else task.name


def _rows(task: Task, config: str, folder: Path | None) -> Rows:
    """The rows of a data set; texts with clusters are one clustering."""
    if folder is None:
        rows: Rows = _from_hub(task.hub, config, task.revision)
    else:
        rows = read_lines(folder, _stem(task, config))
    if task.metric == "clusters" and rows and "text" in rows[0]:
        rows = _checked(rows, ("text", "cluster"), task.name)
        texts, clusters = [row["text"] for row in rows], [row["cluster"] for row in rows]
        return [{"sentences": texts, "labels": clusters}]
    return _checked(rows, FIELDS[task.metric], task.name)


def _checked(rows: Rows, fields: Sequence[str], name: str) -> Rows:
    if rows and all(field in row for row in rows for field in fields):
        return rows
    raise InputError(f"Every row of {name} should have {', '.join(fields)}, and there must be one.")


def _spread(rows: Rows, limit: int | None) -> Rows:
    """At most so many rows, or texts of every clustering, evenly spread over the data."""
    if limit is None:
        return rows
    if rows and "sentences" in rows[0]:
        return [{key: _evenly(row[key], limit) for key in ("sentences", "labels")} for row in rows]
    return _evenly(rows, limit)


def _evenly(items: Sequence[Any], limit: int) -> list[Any]:
    size = min(limit, len(items))
    return [items[i * len(items) // size] for i in range(size)]


def _from_hub(hub: str, config: str, revision: str | None) -> list[dict[str, Any]]:
    """The test split, or the only one, of a data set on the hub."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise InputError(
            "Reading from the Hugging Face Hub needs the package datasets: install it with "
            "`.venv/bin/python -m pip install datasets`, or name a folder with --data."
        ) from None
    try:
        found = load_dataset(hub, config or None, revision=revision)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"The data set {hub} can't be read from the Hugging Face Hub ({type(error).__name__}). "
            "Check the connection, or name a folder with --data."
        ) from error
    return [dict(row) for row in found["test" if "test" in found else next(iter(found))]]
