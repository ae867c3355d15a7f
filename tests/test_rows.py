"""Large files are read in shards of fixed rows, lazily, and from any shard on."""

import csv
import json

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from inbedder_core import rows
from inbedder_core.errors import InputError
from inbedder_core.rows import read, survey

AWKWARD = [
    'one, "two"',
    "lines\nand\r\nlines",
    "ünïcode 🐈",
    " spaces ",
    "x" * 300,
    "-",
    "NULL",
    "7",
]
FORMATS = ["csv", "semicolons", "tsv", "jsonl", "parquet"]


def write(folder, form, texts, **columns):
    """A file with the columns id and text, and others."""
    data = {"id": [f"i{n}" for n in range(len(texts))], "text": texts, **columns}
    records = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    path = folder / f"in.{'csv' if form == 'semicolons' else form}"
    if form == "parquet":
        parquet.write_table(pa.table(data), path, row_group_size=3)
    elif form == "jsonl":
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            separator = {"csv": ",", "semicolons": ";", "tsv": "\t"}[form]
            writer = csv.DictWriter(file, [*data], delimiter=separator)
            writer.writeheader()
            writer.writerows(records)
    return path


def everything(plan, first=0):
    shards = list(read(plan, first))
    return [text for texts, _ in shards for text in texts], [kept for _, kept in shards]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
def test_every_shard_is_the_same_wherever_reading_begins(tmp_path, form, size):
    plan = survey(write(tmp_path, form, AWKWARD), "text", ["id"], shard_rows=size)
    assert plan.rows == len(AWKWARD)
    for first in range(len(plan.marks)):
        texts, kept = everything(plan, first)
        assert texts == AWKWARD[first * size :]
        ids = [name for table in kept for name in table["id"].to_pylist()]
        assert ids == [f"i{n}" for n in range(first * size, len(AWKWARD))]
        assert [len(table) for table in kept[:-1]] == [size] * (len(kept) - 1)


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_text_survives(tmp_path_factory, texts):
    for form in ("csv", "jsonl", "parquet"):
        path = write(tmp_path_factory.mktemp("any"), form, texts)
        assert everything(survey(path, "text", shard_rows=2))[0] == texts


def test_parquet_keeps_types_and_text_files_give_strings(tmp_path):
    when = [pd.Timestamp("2024-05-01 12:00:00.123456789")] * 8
    when = pa.array(when, pa.timestamp("ns"))
    path = write(tmp_path, "parquet", AWKWARD, n=[*range(8)], when=when, text2=[["a"]] * 8)
    _, [kept] = everything(survey(path, "text", ["n", "when", "text2", "text"]))
    assert kept.schema.types[:2] == [pa.int64(), pa.timestamp("ns")]
    assert kept.to_pydict() == {
        "n": [*range(8)],
        "when": when.to_pylist(),
        "text2": [["a"]] * 8,
        "text": AWKWARD,
    }
    path = write(tmp_path, "jsonl", AWKWARD, n=[*range(7), {"a": None}])
    _, [kept] = everything(survey(path, "text", ["n"]))
    assert kept["n"].to_pylist() == [*"0123456", '{"a": null}']


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_kind_of_parquet_string_is_text(tmp_path, kind):
    parquet.write_table(pa.table({"text": pa.array(AWKWARD).cast(kind)}), tmp_path / "in.parquet")
    assert everything(survey(tmp_path / "in.parquet", "text"))[0] == AWKWARD


def test_blank_lines_are_no_rows_and_half_surrogates_no_crash(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('\n{"text": "a"}\n\n{"text": "b\\ud800", "new": 1}\n \n{"text": 3}')
    assert everything(survey(path, "text", shard_rows=1))[0] == ["a", "b?", "3"]
    path = tmp_path / "in.csv"
    path.write_text("text\n\na\n\nb\n")
    assert everything(survey(path, "text", shard_rows=1))[0] == ["a", "b"]


def test_a_text_beyond_all_measure_is_cut(tmp_path):
    for form in ("csv", "jsonl", "parquet"):
        path = write(tmp_path, form, ["x" * 60_000])
        [text], [kept] = everything(survey(path, "text", ["text"]))
        assert len(text) == 50_000
        assert len(kept["text"][0].as_py()) == 60_000


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_reading_is_lazy(tmp_path, form, monkeypatch):
    path = write(tmp_path, form, [f"text {n}" for n in range(20_000)])
    plan = survey(path, "text", ["id"], shard_rows=10)
    unpacked = []
    if form == "parquet":
        batches = rows._parquet_batches
        monkeypatch.setattr(
            rows,
            "_parquet_batches",
            lambda *of: (unpacked.append(batch.num_rows) or batch for batch in batches(*of)),
        )
    else:
        line = rows._Lines.__next__
        monkeypatch.setattr(rows._Lines, "__next__", lambda of: unpacked.append(1) or line(of))
    shards = read(plan, 1_500)
    for _ in range(3):
        assert len(next(shards)[0]) == 10
    assert sum(unpacked) < 300


def test_a_plan_grows_with_the_shards_only(tmp_path):
    path = write(tmp_path, "csv", [f"text {n}" for n in range(1_000)])
    assert len(survey(path, "text", shard_rows=300).marks) == 4


NULLS = b'{"text": "a"}\n{"text": null}\n{"x": 1}\n'
BAD = {
    "no such file": ("in.csv", None, "can't be read. Give a file that ends in .csv"),
    "unknown ending": ("in.docx", b"x", "ends in .csv, .tsv, .jsonl"),
    "empty": ("in.csv", b"", "is empty"),
    "only a header": ("in.csv", b"id,text\n", "has no rows"),
    "only blank lines": ("in.jsonl", b"\n\n", "has no rows"),
    "missing column": ("in.csv", b"id,words\n1,a\n", "no column 'text'. The columns are"),
    "missing key": ("in.jsonl", b'{"id": 1, "words": "a"}', "The columns are: id, words"),
    "same column twice": ("in.csv", b"text,text\n1,a\n", "several columns 'text'"),
    "torn row": ("in.csv", b"id,text\n1,a\n2,b,c\n", "Line 3 of in.csv can't be read: it has"),
    "open quote": ("in.csv", b'id,text\n1,"a\n2,b\n', "not valid .csv"),
    "torn JSON": ("in.jsonl", b'{"text": "a"}\n{"text": \n', "Line 2 of in.jsonl"),
    "deep JSON": ("in.jsonl", b'{"text": ' + b"[" * 200_000, "Line 1 of in.jsonl"),
    "no object": ("in.jsonl", b'["a"]\n', "isn't an object"),
    "Latin-1": ("in.csv", b"id,text\n1,a\n2,\xe9\n", "Line 3 of in.csv can't be read: it isn't"),
    "UTF-16": ("in.csv", "id,text\n1,a\n".encode("utf-16"), "isn't UTF-8"),
    "no line ends": ("in.jsonl", b" " * (rows.MAX_LINE + 1), "longer than 20 MB"),
    "no Parquet": ("in.parquet", b"id,text\n1,a\n", "isn't a sound Parquet file"),
    "nulls": ("in.jsonl", NULLS, "2 of the 3 rows of in.jsonl have no text in 'text', row 2 being"),
    "empty cells": ("in.csv", b"id,text\n1,\n", "1 of the 1 rows of in.csv have no text"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "sentence"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said(tmp_path, name, data, sentence):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as error:
        survey(tmp_path / name, "text")
    assert sentence in str(error.value)


def test_what_is_wrong_with_parquet_is_said(tmp_path):
    path = tmp_path / "in.parquet"
    texts = ["some text"] * 1000
    parquet.write_table(pa.table({"text": [[text] for text in texts], "b": [b"\xff"] * 1000}), path)
    with pytest.raises(InputError, match="column 'text' doesn't hold text"):
        survey(path, "text")
    with pytest.raises(InputError, match=r"There is no column 'words'\. The columns are: text, b"):
        survey(path, "words")
    with pytest.raises(InputError, match="can't be read"):
        survey(path, "b")
    parquet.write_table(pa.table({"text": texts, "id": range(1000)}), path, compression="zstd")
    damaged = bytearray(path.read_bytes())
    damaged[20:60] = bytes(40)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="isn't a sound Parquet file"):
        survey(path, "text")


def test_nulls_pass_on_request(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(NULLS)
    plan = survey(tmp_path / "in.jsonl", "text", nulls_as_empty=True)
    assert everything(plan)[0] == ["a", "", ""]
    with pytest.raises(InputError, match="at least 1 row"):
        survey(tmp_path / "in.jsonl", "text", shard_rows=0)
