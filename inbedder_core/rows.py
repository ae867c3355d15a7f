"""Large files in: the rows of a CSV, TSV, JSONL or Parquet file, one shard of fixed rows at a time.

A shard is a number of consecutive rows, counted from the start of the file. Its borders never
depend on where reading began, and only one shard is held in memory.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Self

from inbedder_core.errors import InputError

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
MAX_CHARACTERS = 50_000
"""A text is cut here before it is tokenized; no model reads nearly as much."""
MAX_LINE = 20_000_000
"""Largest line in bytes; one beyond that is no row, and must not fill the memory."""
_BATCH = 256  # rows that are unpacked from Parquet at once, as each may hold megabytes

_Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that was read through once, and where its shards begin.

    Attributes:
        path: The file.
        columns: The column of the texts, then those to be kept.
        shard_rows: Rows in a shard; the last one may have fewer.
        rows: Rows in the file.
        marks: Where every shard begins: at a byte of a text file, at a row of a Parquet file.
        digest: Fingerprint of the file's bytes.
    """

    path: Path
    columns: tuple[str, ...]
    shard_rows: int
    rows: int
    marks: tuple[int, ...]
    digest: str


def survey(
    path: Path | str,
    text_column: str,
    keep: Sequence[str] = (),
    *,
    shard_rows: int = 4096,
    nulls_as_empty: bool = False,
) -> Plan:
    """Reads a file through once, so that whatever is wrong with it is known before the work.

    Args:
        path: A CSV, TSV, JSONL or Parquet file; text files in UTF-8.
        text_column: The column of the texts.
        keep: Other columns that are wanted.
        shard_rows: Rows in a shard, at least 1.
        nulls_as_empty: Let rows without text pass; they are read as empty texts.

    Returns:
        What `read` needs.

    Raises:
        InputError: The file, a column or a row can't be read, or a row has no text.
    """
    path, columns = Path(path), (text_column, *keep)
    if shard_rows < 1:
        raise InputError(f"A shard must have at least 1 row, not {shard_rows}.")
    if path.suffix.lower() not in ENDINGS or not path.is_file():
        raise InputError(f"{path} can't be read. Give a file that ends in {', '.join(ENDINGS)}.")
    if not path.stat().st_size:
        raise InputError(f"{path.name} is empty.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    marks, rows, nulls, first = [], 0, 0, 0
    for mark, table in _shards(path, columns, shard_rows, 0):
        marks.append(mark)
        if (missing := table.column(0).null_count) and not nulls:
            first = rows + table.column(0).to_pylist().index(None) + 1
        nulls += missing
        rows += table.num_rows
    if not rows:
        raise InputError(f"{path.name} has no rows.")
    if nulls and not nulls_as_empty:
        raise InputError(
            f"{nulls:,} of the {rows:,} rows of {path.name} have no text in {text_column!r}, row "
            f"{first:,} being the first. Fill them in, take them out, or read them as empty texts "
            "with --nulls-as-empty."
        )
    return Plan(path, columns, shard_rows, rows, tuple(marks), digest)


def read(plan: Plan, first: int = 0) -> Iterator[tuple[list[str], Any]]:
    """Reads shard after shard.

    Args:
        plan: The file, as `survey` found it.
        first: Number of the first shard that is wanted.

    Yields:
        The texts of a shard, "" where there is none, and a pyarrow Table of its kept columns: of
        strings, or for Parquet of their own types.

    Raises:
        InputError: The file can't be read any more.
    """
    for _, table in _shards(plan.path, plan.columns, plan.shard_rows, plan.marks[first]):
        texts = [text or "" for text in table.column(0).to_pylist()]
        yield texts, table.select(range(1, table.num_columns))


def _shards(path: Path, columns: Sequence[str], size: int, start: int) -> Iterator[tuple[int, Any]]:
    """Marks and pyarrow Tables of ``size`` rows, the texts first, from the mark ``start`` on."""
    if path.suffix.lower() == ".parquet":
        return _parquet_shards(path, columns, size, start)
    return _text_shards(path, columns, size, start)


def _text_shards(
    path: Path, columns: Sequence[str], size: int, start: int
) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa

    reader = _csv_rows if path.suffix.lower() in (".csv", ".tsv") else _json_rows
    with path.open("rb") as file:
        lines = _Lines(file)
        rows = reader(lines, columns, start)
        while shard := list(_explained(islice(rows, size), lines, path)):
            cells = list(zip(*(row for _, row in shard), strict=True))
            cells[0] = tuple(text and text[:MAX_CHARACTERS] for text in cells[0])
            arrays = [pa.array(column, pa.string()) for column in cells]
            yield shard[0][0], pa.Table.from_arrays(arrays, list(columns))


class _Lines:
    """The lines of a UTF-8 file, and where the next one begins."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.seek(0)

    def seek(self, at: int) -> None:
        self.file.seek(at)
        self.at = at
        self.number = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        self.number += 1
        line = self.file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise InputError(f"It is longer than {MAX_LINE // 10**6} MB.")
        if not line:
            raise StopIteration
        text = line.decode("utf-8-sig" if self.at == 0 else "utf-8")
        self.at += len(line)
        return text


def _explained(
    rows: Iterator[tuple[int, _Row]], lines: _Lines, path: Path
) -> Iterator[tuple[int, _Row]]:
    """The same rows; what can't be read is said with its line."""
    where = f"Line {{:,}} of {path.name} can't be read:"
    try:
        yield from rows
    except UnicodeDecodeError as error:
        why = "it isn't UTF-8. Save the file as UTF-8."
        raise InputError(f"{where.format(lines.number)} {why}") from error
    except InputError as error:
        raise InputError(f"{where.format(lines.number)} {_lower(str(error))}") from error
    except (csv.Error, ValueError, RecursionError) as error:
        kind = path.suffix.lower()
        raise InputError(f"{where.format(lines.number)} not valid {kind} ({error}).") from error


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _csv_rows(lines: _Lines, columns: Sequence[str], start: int) -> Iterator[tuple[int, _Row]]:
    csv.field_size_limit(MAX_LINE)  # the default refuses texts over 131,072 characters
    separator, names = _header(lines, columns[0])
    places = _places(columns, names)
    if start:
        lines.seek(start)
    at = lines.at
    for row in csv.reader(lines, delimiter=separator, strict=True):
        if row and len(row) != len(names):
            raise InputError(f"It has {len(row)} cells, but the header has {len(names)}.")
        if row:  # a blank line is none
            yield at, tuple(row[place] or None for place in places)
        at = lines.at


def _header(lines: _Lines, column: str) -> tuple[str, list[str]]:
    """The delimiter is the one under which the header has the wanted column."""
    headers = {}
    for separator in ",;\t|":
        lines.seek(0)
        names = next(csv.reader(lines, delimiter=separator, strict=True), [])
        headers[separator] = [name.strip() for name in names]
        if column in headers[separator]:
            return separator, headers[separator]
    return max(headers.items(), key=lambda header: len(header[1]))


def _json_rows(lines: _Lines, columns: Sequence[str], start: int) -> Iterator[tuple[int, _Row]]:
    lines.seek(start)
    at, first = lines.at, start == 0
    for line in lines:
        if line.strip():
            record = json.loads(line)
            if not isinstance(record, dict):
                raise InputError('It isn\'t an object such as {"text": "…"}.')
            if first:
                _places(columns, list(record))
                first = False
            yield at, tuple(_cell(record.get(column)) for column in columns)
        at = lines.at


def _cell(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair can't be written


def _places(columns: Sequence[str], names: Sequence[str]) -> list[int]:
    for column in columns:
        if (count := names.count(column)) != 1:
            there = "There are several columns" if count else "There is no column"
            raise InputError(f"{there} {column!r}. The columns are: {', '.join(names[:20])}.")
    return [names.index(column) for column in columns]


def _parquet_shards(
    path: Path, columns: Sequence[str], size: int, start: int
) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa

    try:
        mark, held = start, None
        for batch in _parquet_batches(path, columns, start):
            held = pa.concat_tables([held, batch]) if held else batch
            while held.num_rows >= size:
                yield mark, held.slice(0, size)
                mark, held = mark + size, held.slice(size)
        if held:
            yield mark, held
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, pa.ArrowNotImplementedError):
            why = f"the column {columns[0]!r} doesn't hold text"
        else:
            why = "it isn't a sound Parquet file"
        raise InputError(f"{path.name} can't be read: {why}.") from error


def _parquet_batches(path: Path, columns: Sequence[str], start: int) -> Iterator[Any]:
    """Small pyarrow Tables from the row ``start`` on."""
    import pyarrow as pa
    from pyarrow import compute, parquet

    with parquet.ParquetFile(path, buffer_size=1 << 20) as file:
        _places(columns, file.schema_arrow.names)
        group = 0
        while group < file.num_row_groups and start >= (
            rows := file.metadata.row_group(group).num_rows
        ):
            group, start = group + 1, start - rows
        groups = list(range(group, file.num_row_groups))
        wanted = list(dict.fromkeys(columns))
        for batch in file.iter_batches(_BATCH, row_groups=groups, columns=wanted):
            skipped = min(start, batch.num_rows)
            start -= skipped
            table = pa.Table.from_batches([batch.slice(skipped)]).select(list(columns))
            texts = table.column(0).cast(pa.string())
            texts = compute.utf8_slice_codeunits(texts, 0, MAX_CHARACTERS)
            yield table.set_column(0, columns[0], texts)
