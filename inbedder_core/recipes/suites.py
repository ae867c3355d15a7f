"""Labelled texts to evaluate on: folders of the development sets' schema, and our own samples."""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inbedder_core.errors import InputError
from inbedder_core.samples import samples


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Texts that are labelled under several facets.

    Attributes:
        name: What tables call it.
        texts: n texts.
        labels: Facet -> n labels; empty where a text has none.
        instructions: Facet -> one or more instructions that ask for it.
    """

    name: str
    texts: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    instructions: Mapping[str, tuple[str, ...]]


def read_sets(folder: str | Path, limit: int | None = 500) -> list[LabelledSet]:
    """Reads a folder of labelled sets.

    Args:
        folder: Holds ``facets.json``, which maps every set to its facets and every facet to
            ``{"instructions": […]}``, and for every set ``NAME.jsonl.gz`` or ``NAME.jsonl`` with
            ``{"text": …, "labels": {facet: label}}`` on every line.
        limit: Only so many texts from the beginning of each set; None takes all.

    Returns:
        The sets in the order of ``facets.json``.

    Raises:
        InputError: A file is missing or reads otherwise.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "facets.json").read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder} has no facets.json, which names its sets and facets.") from None
    except ValueError:
        raise InputError(f"{folder / 'facets.json'} is no valid JSON.") from None
    try:
        sets = [_read_set(folder, name, dict(told), limit) for name, told in dict(about).items()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder} is not as expected: facets.json maps sets to facets and facets to "
            '{"instructions": […]}; every line of a set is {"text": …, "labels": {facet: label}}.'
        ) from error
    if not sets:
        raise InputError(f"{folder / 'facets.json'} names no set.")
    return sets


def sample_sets(limit: int | None = None) -> list[LabelledSet]:
    """The project's own sample collections, every facet with the instructions that ask for it."""
    sets = []
    for sample in samples():
        instructions: dict[str, tuple[str, ...]] = {}
        for instruction, facet in sample.instructions:
            instructions[facet] = (*instructions.get(facet, ()), instruction)
        labels = {facet: sample.collection.labels[facet][:limit] for facet in instructions}
        sets.append(LabelledSet(sample.name, sample.collection.texts[:limit], labels, instructions))
    return sets


def _read_set(folder: Path, name: str, facets: Mapping[str, Any], limit: int | None) -> LabelledSet:
    instructions = {
        facet: tuple(told["instructions"])
        for facet, told in facets.items()
        if isinstance(told, dict) and told.get("instructions", [])  # the rest is about the set
    }
    lines = read_lines(folder, name, ("text", "labels"), limit)
    labels = {
        facet: tuple(str(line["labels"].get(facet, "")) for line in lines) for facet in instructions
    }
    if not instructions or not lines:
        raise InputError(f"The set {name} of {folder} has no text, or no facet with instructions.")
    return LabelledSet(name, tuple(str(line["text"]) for line in lines), labels, instructions)


def file_of(folder: Path, name: str) -> Path | None:
    """The file NAME itself, ``NAME.jsonl.gz`` or ``NAME.jsonl`` of a folder, if there is one."""
    paths = (folder / (name + ending) for ending in ("", ".jsonl.gz", ".jsonl"))
    return next((path for path in paths if path.is_file()), None)


def read_lines(
    folder: Path,
    name: str,
    fields: Sequence[str] = (),
    limit: int | None = None,
    *,
    optional: Mapping[str, Any] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Reads the JSON objects of a file, one a line.

    Args:
        folder: Where the file is.
        name: See `file_of`.
        fields: What every object must have and what is kept; all is kept if there are none.
        limit: Only so many lines from the beginning; None takes all.
        optional: What is kept besides, with what stands for it where it is missing.

    Raises:
        InputError: There is no such file, or a line reads otherwise.
    """
    path = file_of(folder, name)
    if path is None:
        raise InputError(f"{folder} has neither {name}.jsonl.gz nor {name}.jsonl.")
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise InputError(f"{path} can't be read as UTF-8 text.") from None
    written = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return [_record(line, i, path, fields, optional) for i, line in written[:limit]]


def _record(
    line: str, number: int, path: Path, fields: Sequence[str], optional: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        record = dict(json.loads(line))
        kept = {field: record[field] for field in fields} or record
    except (ValueError, KeyError, TypeError):
        wanted = " with " + ", ".join(fields) if fields else ""
        raise InputError(f"Line {number} of {path} should be a JSON object{wanted}.") from None
    return kept | {field: record.get(field, other) for field, other in optional.items()}
