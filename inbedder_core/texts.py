"""Texts in: a paste or a file -> `Collection`, within the limits.

What reading assumes is said in a note. Files come from strangers, so all sizes are bounded.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from io import BytesIO, StringIO
from itertools import chain, islice
from operator import contains
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from inbedder_core.errors import InputError
from inbedder_core.schema import Collection

MAX_TEXTS = 10_000
MAX_CHARACTERS = 50_000
MAX_BYTES = 20_000_000
MAX_COLUMNS = 500
MAX_FACETS = 8
ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".txt", ".xlsx", ".parquet")
LIMITS = (
    f"Up to {MAX_TEXTS:,} texts of up to {MAX_CHARACTERS:,} characters each; files of up to "
    f"{MAX_BYTES // 10**6} MB that end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}."
)
_MAX_UNPACKED = 10 * MAX_BYTES  # a small compressed file can hold very much
_TEXT_NAMES = """text sentence utterance review message comment tweet post feedback question query
prompt content body description document headline title""".split()  # noqa: SIM905 (two lines)
# "text", "Review texts", "customer_review"; but "Great review" may be a text itself.
_NAMED = re.compile("(?i)({0} |\\w+_)?{0}".format(f"({'|'.join(_TEXT_NAMES)})s?"))
_BINARY = (b"\x89PNG", b"PK\x03\x04", b"\x1f\x8b", b"%PDF-", b"\xff\xd8\xff", b"\xd0\xcf\x11\xe0")
_ENCODINGS = "cp1250 cp1251 cp1253 cp1255 cp1256 cp932 gb18030 big5 euc_kr euc_jp koi8_r mac_roman"
_NOT_WESTERN = re.compile(r"[^\W\d_][¡-¬®-³¶¸-¿†-‰‚„][^\W\d_]|[a-z][À-ÞŠŽŒŸ]|\ufffd")


@dataclass(frozen=True, slots=True)
class Table:
    """A file as rows of text cells, with a guess at what its columns mean.

    Attributes:
        columns: Column names, all different and none empty.
        rows: One tuple of cells per row, in the order of `columns`; "" where a value is missing.
        text_column: The column that most likely holds the texts.
        label_columns: Columns of few, short values, which may be facets.
        note: What was assumed while reading, or "".
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_column: str
    label_columns: tuple[str, ...]
    note: str = ""


def from_lines(pasted: str) -> Collection:
    """Reads a paste: one text per line; blank lines are dropped, order and duplicates kept."""
    return _collect([t for line in _clean(pasted).split("\n") if (t := line.strip())], {}, "")


def from_file(path: Path | str, text_column: str | None = None) -> Collection:
    """Reads a file in one call: `read_table`, then `collection`."""
    return collection(read_table(path), text_column)


def read_table(path: Path | str) -> Table:
    """Reads a file into cells of text; raises `InputError` if it is too large or can't be read."""
    path, notes = Path(path), list[str]()
    ending = path.suffix.lower()
    foreign = ending in (".xlsx", ".parquet")
    damage = Exception if foreign else RecursionError  # foreign parsers raise nearly anything
    try:
        if ending not in ENDINGS or not path.is_file():
            raise InputError(f"Choose a file that exists and ends in {', '.join(ENDINGS)}.")
        _at_most(MAX_BYTES, path.stat().st_size, "bytes")
        if not (data := path.read_bytes()):
            raise InputError("It is empty.")
        rows = _bounded(_READERS[ending](data if foreign else _decode(data, notes), notes))
        return _table(rows, ending not in (".csv", ".tsv", ".xlsx"), notes)
    except InputError as error:
        raise InputError(f"{path.name!r} can't be used. {error}") from error
    except damage as error:
        raise InputError(f"{path.name!r} isn't a readable {ending}: save it again.") from error


def collection(
    table: Table, text_column: str | None = None, label_columns: Sequence[str] | None = None
) -> Collection:
    """Takes texts and labels from the given or else the guessed columns; drops rows without text.

    Raises `InputError` if a column is missing or has no text, or if texts or labels are too many.
    """
    text_column = table.text_column if text_column is None else text_column
    if label_columns is None:
        label_columns = [name for name in table.label_columns if name != text_column]
    _at_most(MAX_FACETS, len(label_columns), "label columns")
    try:
        at, *places = map(table.columns.index, (text_column, *label_columns))
    except ValueError as error:
        raise InputError(f"No such column. Choose: {', '.join(table.columns[:20])}.") from error
    rows = [row for row in table.rows if row[at]]
    if not rows:
        raise InputError(f"The column {text_column!r} has no text. Choose another column.")
    labels = {table.columns[place]: tuple(row[place] for row in rows) for place in places}
    note = f" Rows without text, left out: {n:,}." if (n := len(table.rows) - len(rows)) else ""
    return _collect([row[at] for row in rows], labels, table.note + note)


def check(texts: Sequence[str]) -> None:
    """Raises `InputError` if there is no text at all, or if there are more than `MAX_TEXTS`."""
    if not any(text.strip() for text in texts):
        raise InputError("There is no text yet: give at least one.")
    _at_most(MAX_TEXTS, len(texts), "texts")


def _collect(texts: Sequence[str], labels: Mapping[str, tuple[str, ...]], note: str) -> Collection:
    check(texts)
    if long := sum(len(text) > MAX_CHARACTERS for text in texts):
        note += f" Texts cut to {MAX_CHARACTERS:,} characters: {long:,}."
    kept = tuple(text[:MAX_CHARACTERS].rstrip() for text in texts)
    return Collection(kept, labels, note.strip())


def _at_most(limit: int, number: int, things: str) -> None:
    if number > limit:
        raise InputError(f"{number:,} {things} are too many; up to {limit:,} fit. Leave some out.")


def _bounded(rows: Iterable[Sequence[object]]) -> list[list[str]]:
    """Turns values into cells, and refuses what is too much while still reading it."""
    kept: list[list[str]] = []
    seen = size = 0
    for seen, row in enumerate(rows):  # the first may be names; what is beyond is only counted
        if seen <= MAX_TEXTS:
            width = max((at for at, value in enumerate(row, 1) if value is not None), default=0)
            _at_most(MAX_COLUMNS, width, "columns")
            kept.append([_cell(value) for value in row[:width]])
            size += sum(map(len, kept[-1]))
            _at_most(_MAX_UNPACKED, size, "characters")
    _at_most(MAX_TEXTS, seen, "rows")
    return kept


def _cell(value: object) -> str:
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, dict | list | bool):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return _clean(str(value)).strip()


def _clean(text: str) -> str:
    """Unifies line ends; drops control characters, and surrogates that can't be written again."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isprintable() else re.sub(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]", "", text)


def _decode(data: bytes, notes: list[str]) -> str:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
    controls = len(data) - len(data.translate(None, bytes({*range(32)} - {*b"\t\n\f\r\x1b"})))
    if not encoding and (data.startswith(_BINARY) or 20 * controls > len(data)):
        raise InputError("It is a binary file, not text. Save it as CSV, or a workbook as .xlsx.")
    encoding = encoding or _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError("Its character encoding isn't clear. Save it as UTF-8.") from error
    if encoding != "utf-8-sig":
        name = encoding.upper().replace("CP125", "Windows-125")
        notes.append(f"Read as {name} because it isn't valid UTF-8.")
        notes.append("If letters look wrong, save it as UTF-8.")
    return _clean(text)


def _encoding(data: bytes) -> str:
    text = data.decode("utf-8-sig", "replace")
    broken = text.count("\ufffd") - data.count("\ufffd".encode())
    if 10 * broken <= len(text) - len(text.encode("ascii", "ignore")):
        return "utf-8-sig"
    # Western letters stand alone among ASCII, other scripts in runs. charset_normalizer alone reads
    # "café" as Central European or Korean (measured on short texts in twelve encodings).
    evidence = b"\n".join(islice((x for x in data.split(b"\n") if not x.isascii()), 2_000))
    high = len(evidence.translate(None, bytes(range(128))))
    runs = sum(map(len, re.findall(rb"[\x80-\xff]{3,}", evidence)))
    odd = len(_NOT_WESTERN.findall(evidence.decode("cp1252", "replace")))
    if max(5 * runs, 20 * odd) < high:
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(evidence, cp_isolation=_ENCODINGS.split()).best()
    return best.encoding if best else "cp1252"


def _table(rows: list[list[str]], named: bool, notes: list[str]) -> Table:
    """Rows as a table; `named` says that the first one holds the names of the columns."""
    width = max(map(len, rows), default=0)
    names, *cells = ([*row, *[""] * (width - len(row))] for row in rows or [[]])
    if not named and _has_header(names, cells):
        notes.append("The first row was read as column names.")
    elif not named:
        notes.append("No column names were found, so the first row is data.")
        names, cells = ["text"] if width == 1 else [""] * width, [names, *cells]
    places: dict[str, int] = {}
    for place, column in enumerate(names):
        if column or any(row[place] for row in cells):
            name = column[:80] or f"column {place + 1}"
            while name in places:
                name = f"{name} ({place + 1})"
            places[name] = place
    if not cells or not places:
        raise InputError("It has no text.")
    kept = tuple(tuple(row[at] for at in places.values()) for row in cells)
    text = list(places)[_text_place([*places], kept)]
    kinds = {name: {row[at] for row in cells} - {""} for name, at in places.items() if name != text}
    most = min(20, max(2, len(cells) // 2))
    facets = [name for name, k in kinds.items() if 2 <= len(k) <= most and max(map(len, k)) <= 60]
    return Table(tuple(places), kept, text, tuple(facets[:MAX_FACETS]), " ".join(notes))


def _is_numeric(values: Sequence[str]) -> bool:
    """Whether few values have letters or emoji; links count as numbers, being no text either."""
    word = r"(?s)(?!\w+://\S+$).*?([^\W\d_]|[☀-\U0001faff])"
    words = [re.match(word, value) is not None for value in values if value]
    return 2 * sum(words) <= len(words)


def _text_place(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The column named like a text, else the one with the longest values that aren't numbers."""
    lengths = [0 if _is_numeric(v) else sum(map(len, v)) for v in zip(*rows[:1_000], strict=True)]
    plain = [name.lower().removesuffix("s") for name in names]
    known = (plain.index(name) for name in _TEXT_NAMES if name in plain)
    return next((p for p in known if lengths[p]), max(range(len(names)), key=lengths.__getitem__))


def _has_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    if any(map(_NAMED.fullmatch, first)):
        return True
    if len(first) < 2 or not rest or first.count("") > 1 or _is_numeric(first):
        return False
    values = list(zip(*rest, strict=True))
    longest = _text_place([""] * len(first), rest)
    short = 2 * len(first[longest]) * len(rest) <= sum(map(len, values[longest]))
    numbers = any(any(column) and _is_numeric(column) for column in values)
    return (short or numbers) and not any(map(contains, values, first))


def _csv(text: str, sep: str, quote: str, strict: bool = False) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_BYTES)  # the default refuses texts over 131,072 characters
    return filter(None, csv.reader(StringIO(text), delimiter=sep, quotechar=quote, strict=strict))


def _fit(text: str, sep: str) -> tuple[int, float, int, str]:
    """2 a table, 1 one column, 0 neither; share of rows as wide as the first; width; quote."""
    for quote in '"\x1e':  # \x1e is in no text: quotes that don't match are plain characters
        with suppress(csv.Error):
            rows = islice(_csv(text, sep, quote, strict=True), MAX_TEXTS + 1)
            first, widths = next(rows, []), Counter(map(len, rows))
            break
    width, share = len(first), (1 + widths[len(first)]) / (1 + widths.total())
    if width < 2:
        return int(share == 1), share, width, quote
    named = any(_NAMED.fullmatch(cell.strip()) for cell in first[:MAX_COLUMNS])
    prose = sep in ",;" and all(cell.lstrip('"').startswith(" ") for cell in first[1:])
    # A named header settles it, and so does "word, word"; both or neither leave it to the rows.
    return 2 * (named if named != prose else share >= 0.8), share, width, quote


def _read_csv(text: str, notes: list[str]) -> Iterator[list[str]]:
    text = re.sub(r"^sep=.\n", "", text)  # a hint that Excel understands
    # \x1f is in no text: where all else tears texts apart, there is one column.
    (_, _, width, quote), sep = max((_fit(text, sep), sep) for sep in ",;\t|\x1f")
    _at_most(MAX_COLUMNS, width, "columns")
    if width < 2:
        notes.append("Read as one column, one text per row.")
    some = [row for row in islice(_csv(text, sep, quote), 100) if len(row) == width]
    at = _text_place(some[0], some) if some else 0
    for row in _csv(text, sep, quote):
        end = at + 1 + max(0, len(row) - width)  # surplus cells: a text without quotes was torn
        row[at:end] = [sep.join(row[at:end])]
        plain = (re.sub(r'^"((?:[^"]|"")*)"$', r"\1", cell).replace('""', '"') for cell in row)
        yield row if quote == '"' else [*plain]


def _read_json(text: str, notes: list[str], *, lines: bool = False) -> Iterator[Sequence[object]]:
    values: Any = []
    for number, part in enumerate(text.split("\n") if lines else [text], 1):
        try:
            values += [json.loads(part)] if part.strip() else []
        except ValueError as error:
            if str(error).startswith("Extra data") and not lines:  # JSON lines that end in .json
                yield from _read_json(text, notes, lines=True)
                return
            line = number if lines else getattr(error, "lineno", 1)
            raise InputError(f"Line {line:,} isn't valid JSON. Correct it.") from error
    values = values if lines or not values else values[0]
    if not isinstance(values, list):
        raise InputError("It isn't a list. Make it a list of texts, or of objects with a text.")
    records = [{"text": value} if isinstance(value, str) else value for value in values]
    if odd := next((n for n, record in enumerate(records, 1) if not isinstance(record, dict)), 0):
        raise InputError(f"Entry {odd:,} is neither a text nor an object.")
    columns = list(dict.fromkeys(key for record in records for key in record))
    yield columns
    yield from ([record.get(column) for column in columns] for record in records)


def _read_xlsx(data: bytes, notes: list[str]) -> Iterator[Sequence[object]]:
    from openpyxl import load_workbook

    with ZipFile(BytesIO(data)) as archive:
        _at_most(_MAX_UNPACKED, sum(part.file_size for part in archive.infolist()), "bytes")
    sheets = load_workbook(BytesIO(data), read_only=True, data_only=True).worksheets
    for sheet in sheets:
        sheet.reset_dimensions()  # what a file says of its size is often wrong
        rows = islice(sheet.iter_rows(values_only=True), 1_048_576)  # Excel's own limit
        filled = (row for row in rows if any(cell is not None for cell in row))
        if first := next(filled, None):
            notes.extend([f"Read the sheet {sheet.title!r}."] if len(sheets) > 1 else [])
            yield from chain([first], filled)
            return


def _read_parquet(data: bytes, notes: list[str]) -> Iterator[Sequence[object]]:
    from pyarrow import BufferReader, parquet

    file = parquet.ParquetFile(BufferReader(data))
    groups = (file.metadata.row_group(at) for at in range(file.num_row_groups))
    _at_most(_MAX_UNPACKED, sum(group.total_byte_size for group in groups), "unpacked bytes")
    _at_most(MAX_TEXTS, file.metadata.num_rows, "rows")
    yield file.schema_arrow.names
    for batch in file.iter_batches(batch_size=16):  # few: each row may unpack to megabytes
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


_READERS: dict[str, Callable[[Any, list[str]], Iterator[Sequence[object]]]] = {
    ".txt": lambda text, _: ([line] for line in f"text\n{text}".split("\n") if line.strip()),
    ".csv": _read_csv, ".tsv": _read_csv,
    ".json": _read_json, ".jsonl": partial(_read_json, lines=True),
    ".xlsx": _read_xlsx, ".parquet": _read_parquet,
}  # fmt: skip
