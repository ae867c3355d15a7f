"""Real files, written to tmp_path: what is read right, what is refused, and in which words."""

import csv
import io
import json
import random
import re
import string
import subprocess
import sys
import zipfile
from datetime import date, datetime
from functools import partial

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from inbedder_core import texts
from inbedder_core.errors import InputError

same_folder = partial(settings, suppress_health_check=[HealthCheck.function_scoped_fixture])
characters = st.characters(exclude_categories=("Cs", "Cc"))
one_text = st.text(characters, min_size=1).map(str.strip).filter(bool)
share = st.floats(0, 1, exclude_max=True)
many_texts = st.lists(one_text, min_size=1, max_size=20)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\6\0\0\0\x1f\x15\xc4\x89"


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def workbook(tmp_path):
    def workbook(*sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for number, rows in enumerate(sheets, 1):
            sheet = book.create_sheet(f"Sheet {number}")
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "book.xlsx")
        return tmp_path / "book.xlsx"

    return workbook


@pytest.fixture
def parquet_file(tmp_path):
    def parquet_file(table, **options):
        parquet.write_table(table, tmp_path / "data.parquet", **options)
        return tmp_path / "data.parquet"

    return parquet_file


def refusal(path):
    with pytest.raises(InputError) as caught:
        texts.from_file(path)
    message = str(caught.value)
    assert repr(path.name) in message or "The column" in message or "texts" in message
    assert len(message) < 300
    assert "\n" not in message
    return message


def outcome(path):
    try:
        return texts.from_file(path)
    except InputError as error:
        return error


# --- Paste


def test_paste_keeps_order_and_duplicates_and_drops_blank_lines():
    pasted = "  b\r\n\n a \t\rb\n   \n"
    assert texts.from_lines(pasted).texts == ("b", "a", "b")


def test_paste_keeps_every_script_and_drops_control_characters():
    family, hebrew = "👨‍👩‍👧 ok", "\u200fשלום\u200e"
    pasted = f"{family}\n{hebrew}\na\x00b\x1b\tc\n\x01\nlone \ud800 half\nline\u2028separator"
    read = texts.from_lines(pasted).texts
    assert read == (family, hebrew, "ab\tc", "lone  half", "line\u2028separator")


@given(many_texts)
def test_paste_gives_the_lines_back(lines):
    read = texts.from_lines("\n".join(lines))
    assert list(read.texts) == lines
    assert read.note == ""


@pytest.mark.parametrize("pasted", ["", " \n\t\n ", "\x00\n\x01"])
def test_nothing_to_explore_is_refused(pasted):
    with pytest.raises(InputError, match="no text"):
        texts.from_lines(pasted)


def test_the_longest_text_is_kept_and_a_longer_one_is_cut():
    longest = "a" * texts.MAX_CHARACTERS
    assert texts.from_lines(longest) == texts.Collection((longest,))
    read = texts.from_lines(f"{longest}b\nshort\n{longest}c")
    assert read.texts == (longest, "short", longest)
    assert read.note == "Texts cut to 50,000 characters: 2."


def test_too_many_texts_are_refused_with_both_numbers():
    enough = ["a"] * texts.MAX_TEXTS
    texts.check(enough)
    with pytest.raises(InputError, match=r"10,001 texts.*10,000"):
        texts.from_lines("\n".join([*enough, "a"]))


def test_the_limits_are_stated():
    for stated in ("10,000", "50,000", "20 MB", *texts.ENDINGS):
        assert stated in texts.LIMITS


# --- CSV and TSV


def test_csv_with_labels(write):
    table = texts.read_table(write("a.csv", "id,text,label\n1,Hi there,x\n2,Bye,y\n3,,x\n4,Yo,\n"))
    assert table.columns == ("id", "text", "label")
    assert table.rows[2] == ("3", "", "x")
    assert (table.text_column, table.label_columns) == ("text", ("label",))
    read = texts.collection(table)
    assert read.texts == ("Hi there", "Bye", "Yo")
    assert read.labels == {"label": ("x", "y", "")}
    assert read.note == "The first row was read as column names. Rows without text, left out: 1."


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize("delimiter", ",;\t|")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@same_folder(max_examples=8)
@given(lines=many_texts)
@example(lines=['a "quoted" word', "two\nlines", "a, b; c | d\te", '"', "'", '""', "a\u2028b"])
def test_what_csv_writer_wrote_is_read_back(write, ending, delimiter, encoding, line_end, lines):
    lines = [line for line in lines if line.strip("\ufeff")]
    if not lines:
        return
    for header, columns in (["text"], [lines]), (["text", "n"], [lines, [*range(len(lines))]]):
        file = io.StringIO()
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end)
        writer.writerows([header, *zip(*columns, strict=True)])
        read = texts.from_file(write(f"a{ending}", file.getvalue().encode(encoding)))
        assert list(read.texts) == lines
        assert ("Read as UTF-16" in read.note) == (encoding == "utf-16")


def test_one_column_without_a_name_keeps_its_first_text(write):
    read = texts.from_file(write("a.csv", "great film\nbad film\n"))
    assert read.texts == ("great film", "bad film")
    assert "so the first row is data" in read.note


@pytest.mark.parametrize("name", ["text", "Texts", "Review text", "customer_review", "COMMENT"])
def test_one_column_with_a_name_loses_its_name_only(write, name):
    read = texts.from_file(write("a.csv", f"{name}\ngreat film\nbad film\n"))
    assert read.texts == ("great film", "bad film")
    assert "The first row was read as column names." in read.note


@pytest.mark.parametrize(
    "lines",
    [
        ["Hello, world", "I like it", "Well, yes, no"],
        ["Hello, world", "I like, it", "Well, yes"],
        ["Long, " * 600 + "end", "short", "one, two"],
        ['"Never again," she said.', "Fine, thanks", 'He said "no", twice'],
        ["one; two", "three, four", "a | b"],
    ],
)
@pytest.mark.parametrize("header", [[], ["text"]])
def test_commas_without_quotes_do_not_tear_texts_apart(write, lines, header):
    read = texts.from_file(write("a.csv", "\n".join(header + lines)))
    assert list(read.texts) == lines
    assert "one text per row" in read.note


def test_commas_without_quotes_in_the_text_of_a_table(write):
    read = texts.from_file(write("a.csv", "text,label\nhello, you there,x\nbye,y\na, b, c,x\n"))
    assert read.texts == ("hello, you there", "bye", "a, b, c")
    assert read.labels["label"] == ("x", "y", "x")


def test_a_quote_that_is_never_closed_swallows_nothing(write):
    content = 'text,label\n"fine, one",x\n"not closed,y\n5" wide,x\n"say ""hi"" now",y\n'
    read = texts.from_file(write("a.csv", content))
    assert read.texts == ("fine, one", '"not closed', '5" wide', 'say "hi" now')
    assert read.labels["label"] == ("x", "y", "x", "y")


@pytest.mark.parametrize(
    ("content", "columns", "first"),
    [
        ("I love it,pos\nHate it,neg\nmeh,pos\n", ("column 1", "column 2"), "I love it"),
        ("I love it,5\nHate it,1\n", ("column 1", "column 2"), "I love it"),
        ("no,opinion\n1,I love it all\n2,Hate it all\n", ("no", "opinion"), "I love it all"),
        ("who,what\nann,I love all of it\nbob,I hate it\n", ("who", "what"), "I love all of it"),
        ("text,text,,\na,b,,\nc,d,,\n", ("text", "text (2)"), "a"),
        (",text\n0,a\n1,b\n", ("column 1", "text"), "a"),
        ("text;price\na;1,5\nb;2,5\n", ("text", "price"), "a"),
        ("text,label\na\nb,x\n", ("text", "label"), "a"),
        ("1\n2\n3\n", ("text",), "1"),
        ("I love it,\nHate it,\n", ("column 1",), "I love it"),
        ("sep=;\ntext;label\na, b;x\nc, d;y\n", ("text", "label"), "a, b"),
        ("text,mood\n😀,pos\n😂,neg\n", ("text", "mood"), "😀"),
    ],
)
def test_column_names_are_recognised_and_made_unique(write, content, columns, first):
    table = texts.read_table(write("a.csv", content))
    assert table.columns == columns
    assert texts.collection(table).texts[0] == first


def test_duplicate_names_stay_apart_however_many(write):
    names = ["a (2)", *["a"] * 100, "text"]
    table = texts.read_table(write("a.csv", "\n".join([",".join(names)] * 2)))
    assert len(set(table.columns)) == 102


@pytest.mark.parametrize(
    ("header", "row", "chosen"),
    [
        ("title,text,body", "a,b,c", "text"),
        ("id,Message,url", "x1,hi,http://a.example/very/long/address", "Message"),
        ("id,remark,url", "x1,hi you,http://a.example/very/long/address", "remark"),
        ("comment,remark", "12,what a day", "remark"),
        ("review,remark", ",what a day", "remark"),
        ("date,remark", "2024-05-01 10:00:00,hi", "remark"),
        ("a,b", "1,2", "a"),
    ],
)
def test_text_column_is_guessed_by_name_then_by_length(write, header, row, chosen):
    path = write("a.json", json.dumps([dict(zip(header.split(","), row.split(","), strict=True))]))
    assert texts.read_table(path).text_column == chosen


def test_label_columns_have_few_short_values(write):
    rows = [
        {"text": f"t{i}", "id": i, "star": i % 5, "one": "x", "essay": "e" * (60 + i % 2)}
        for i in range(30)
    ]
    table = texts.read_table(write("a.json", json.dumps(rows)))
    assert table.label_columns == ("star",)


def test_columns_can_be_chosen(write):
    table = texts.read_table(write("a.csv", "text,label,note\nhi,x,aa\nyo,y,\n"))
    read = texts.collection(table, "note", ["text", "label"])
    assert read.texts == ("aa",)
    assert read.labels == {"text": ("hi",), "label": ("x",)}
    assert texts.collection(table, label_columns=[]).labels == {}
    assert "text" not in texts.collection(table, "label").labels
    assert texts.from_file(write("b.csv", "text,label\nhi,x\n"), "label").texts == ("x",)


def test_columns_that_cannot_be_chosen(write):
    table = texts.read_table(write("a.json", '[{"text": "hi", "label": "x", "empty": null}]'))
    with pytest.raises(InputError, match=r"No such column.*text, label"):
        texts.collection(table, "Text")
    with pytest.raises(InputError, match="No such column"):
        texts.collection(table, label_columns=["labels"])
    with pytest.raises(InputError, match="'empty' has no text"):
        texts.collection(table, "empty")
    with pytest.raises(InputError, match=r"9 label columns.*8"):
        texts.collection(table, label_columns=["label"] * 9)


def test_texts_longer_than_the_limit_of_the_csv_module(write):
    long = "a" * 200_000
    read = texts.from_file(write("a.csv", f"text,label\n{long},x\nb,y\n"))
    assert read.texts == ("a" * texts.MAX_CHARACTERS, "b")
    assert "Texts cut to 50,000 characters: 1." in read.note


def test_nul_bytes_and_control_characters_are_dropped(write):
    content = "text,label\n" + "a normal text with words,x\n" * 9 + "na\0ul\x07,y\n"
    assert texts.from_file(write("a.csv", content)).texts[-1] == "naul"


def test_wide_files(write):
    wide = ",".join(f"c{i}" for i in range(texts.MAX_COLUMNS - 1))
    read = texts.from_file(write("a.csv", f"text,{wide}\nhello,{wide}\n"))
    assert read.texts == ("hello",)
    assert "501 columns" in refusal(write("a.csv", f"text,more,{wide}\nhello,more,{wide}\n"))


def test_as_many_rows_as_allowed(write):
    rows = "hello you,x\n" * texts.MAX_TEXTS
    assert len(texts.from_file(write("a.csv", "text,label\n" + rows))) == texts.MAX_TEXTS
    assert len(texts.from_file(write("a.csv", rows))) == texts.MAX_TEXTS
    for header in ("", "text,label\n"):
        message = refusal(write("a.csv", f"{header}{rows}one more,y\n"))
        assert re.search(r"10,001 (rows|texts).*10,000", message)


def test_quotes_are_plain_characters_in_many_tsv_files(write):
    content = 'user\ttweet\n@a\tI said "no way" lol\n@b\t"A quote, and then no end\n'
    read = texts.from_file(write("a.tsv", content))
    assert read.texts == ('I said "no way" lol', '"A quote, and then no end')


# --- Encodings


@pytest.mark.parametrize(
    ("encoding", "name", "lines"),
    [
        ("cp1252", "Windows-1252", "Café\ntrès bon, ça va"),
        ("cp1252", "Windows-1252", "price is 5€ and “quoted” text – it’s nice"),
        ("cp1252", "Windows-1252", "Schöne Grüße aus München"),
        ("cp1252", "Windows-1252", "El niño comió mañana\n¿Qué?"),
        ("cp1250", "Windows-1250", "Zażółć gęślą jaźń\nDobry wieczór, jak się masz"),
        ("cp1251", "Windows-1251", "Привет, как дела\nМне очень понравилось кино"),
        ("cp1253", "Windows-1253", "Καλημέρα σας\nΗ ταινία ήταν πολύ καλή"),
        ("cp932", "CP932", "こんにちは、元気ですか\n映画はとても良かった"),
        ("gb18030", "GB18030", "你好,今天天气很好\n我很喜欢这部电影"),
        ("mac_roman", "MAC_ROMAN", "Café très bon, ça va"),
    ],
)
def test_other_encodings_are_recognised_and_said(write, encoding, name, lines):
    read = texts.from_file(write("a.txt", lines.encode(encoding)))
    assert list(read.texts) == lines.split("\n")
    assert f"Read as {name} because it isn't valid UTF-8." in read.note


def test_a_foreign_letter_at_the_very_end_is_enough(write):
    content = b"text,label\n" + b"plain words,x\n" * 5_000 + "déjà vu,y\n".encode("cp1252")
    assert texts.from_file(write("a.csv", content)).texts[-1] == "déjà vu"


def test_utf8_that_is_broken_somewhere_is_refused_not_garbled(write):
    content = "schöne grüße\n".encode() * 20 + b"\xff\n"
    assert "encoding" in refusal(write("a.txt", content))


@pytest.mark.parametrize("content", ["\ufffd\n", "ok \ufffd\n", "\ufeffok\n", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢\n"])
def test_valid_utf8_is_never_doubted(write, content):
    read = texts.from_file(write("a.txt", content))
    assert read.texts == (content.strip("\ufeff\n"),)
    assert read.note == ""


# --- JSON and JSONL


def test_json_lines(write):
    content = '{"text": "a", "label": "x"}\n\n"b"\n{"label": null, "text": "c"}\n'
    read = texts.from_file(write("a.jsonl", content))
    assert read.texts == ("a", "b", "c")
    assert texts.from_file(write("a.json", content)) == read
    assert texts.from_file(write("a.jsonl", '{"text": "a"}')).texts == ("a",)


def test_json_values_become_text(write):
    value = {"b": [1, 2.5, None], "ü": "ü"}
    row = {"text": "t", "n": 3, "f": 2.5, "ok": True, "none": None, "nan": float("nan"), "v": value}
    table = texts.read_table(write("a.json", json.dumps([row])))
    nested = '{"b": [1, 2.5, null], "ü": "ü"}'
    assert table.rows == (("t", "3", "2.5", "true", "", "", nested),)


def test_json_escapes_hide_no_control_characters(write):
    read = texts.from_file(write("a.json", r'["a\u0000b\ud800\r\nc", "\ud83d\ude00"]'))
    assert read.texts == ("ab\nc", "😀")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", '{"text": "a"}\n\n{"text": "b"\n', "Line 3 isn't valid JSON"),
        ("a.json", '[\n{"text": "a"},\n{"text" "b"}]', "Line 3 isn't valid JSON"),
        ("a.json", '{"text": ["a"]}', "isn't a list"),
        ("a.json", '"a"', "isn't a list"),
        ("a.json", "null", "isn't a list"),
        ("a.json", "[1, 2]", "Entry 1 is neither a text nor an object"),
        ("a.json", '["a", null]', "Entry 2 is neither a text nor an object"),
        ("a.jsonl", '["a"]', "Entry 1 is neither a text nor an object"),
        ("a.json", "[]", "no text"),
        ("a.json", "[{}]", "no text"),
        ("a.json", '[{"text": " "}]', "no text"),
        ("a.json", " \n", "no text"),
        ("a.json", "[" * 100_000, "readable"),
        ("a.json", "9" * 5_000, "isn't valid JSON"),
        ("a.jsonl", '"a"\n' * 10_001, "10,001 rows"),
    ],
)
def test_json_that_cannot_be_used(write, name, content, words):
    assert words in refusal(write(name, content))


@pytest.mark.parametrize("depth", [200, 900, 950, 970, 980, 990, 1000])
def test_deep_json_is_read_or_refused(write, depth):
    path = write("a.json", '[{"text": ' + "[" * depth + "]" * depth + "}]")
    assert isinstance(outcome(path), InputError) or len(texts.from_file(path)) == 1


# --- TXT


def test_txt_has_one_text_per_line_whatever_is_in_it(write):
    read = texts.from_file(write("a.TXT", 'text\na, b\n\n"c"\n  d\te  \n'))
    assert read.texts == ("text", "a, b", '"c"', "d\te")
    assert read.note == ""


# --- XLSX


def test_workbook(workbook):
    rows = [["When", "Review", "Stars", "ok"], [datetime(2024, 5, 1), "Fine, thanks", 5, True]]
    rows += [[datetime(2024, 5, 1, 9, 30), "two\nlines", 4.5, None], [], [None, None, 3, False]]
    table = texts.read_table(workbook(rows))
    assert table.columns == ("When", "Review", "Stars", "ok")
    assert table.rows == (
        ("2024-05-01", "Fine, thanks", "5", "true"),
        ("2024-05-01 09:30:00", "two\nlines", "4.5", ""),
        ("", "", "3", "false"),
    )
    assert table.text_column == "Review"
    assert "left out: 1" in texts.collection(table).note


def test_workbook_the_first_sheet_with_content_is_read_and_named(workbook):
    read = texts.from_file(workbook([], [["text"], ["a"]], [["text"], ["b"]]))
    assert read.texts == ("a",)
    assert "Read the sheet 'Sheet 2'." in read.note


def test_workbook_without_column_names(workbook):
    read = texts.from_file(workbook([["a first text"], ["another one"]]))
    assert read.texts == ("a first text", "another one")


def test_workbook_formulas_without_a_value_are_empty_cells(workbook):
    read = texts.from_file(workbook([["text", "n"], ["a", "=1+1"], ['="b"', 2]]))
    assert read.texts == ("a",)
    assert "left out: 1" in read.note


def test_workbook_without_cells(workbook):
    assert "no text" in refusal(workbook([]))


def test_workbook_with_far_away_formats(workbook, tmp_path):
    path = workbook([["text"], ["a"]])
    book = openpyxl.load_workbook(path)
    for far in ("XFD1", "A5000"):
        book.active[far].number_format = "0.00"
    book.save(path)
    assert texts.from_file(path).texts == ("a",)


def rezip(path, change):
    """Replaces the first sheet of a workbook."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, change(part) if name.endswith("sheet1.xml") else part)
    return path


def test_workbook_that_lies_about_its_size(workbook):
    path = rezip(
        workbook([["text"], ["a"]]),
        lambda sheet: re.sub(rb'ref="[^"]*"', b'ref="A1:XFD1048576"', sheet),
    )
    assert texts.from_file(path).texts == ("a",)


def test_workbook_with_a_row_at_the_end_of_the_universe(workbook):
    path = rezip(
        workbook([["text"], ["a"], ["b"]]),
        lambda sheet: sheet.replace(b'r="3"', b'r="99999999999"').replace(b"A3", b"A99999999999"),
    )
    assert texts.from_file(path).texts == ("a",)


def test_workbook_that_unpacks_to_too_much(workbook, monkeypatch):
    monkeypatch.setattr(texts, "_MAX_UNPACKED", 1_000_000)
    path = rezip(workbook([["text"], ["a"]]), lambda sheet: sheet + b" " * 1_000_000)
    assert path.stat().st_size < 10_000
    assert re.search(r"1,0\d\d,\d\d\d bytes are too many; up to 1,000,000 fit", refusal(path))


# --- Parquet


def test_parquet(parquet_file):
    data = {
        "text": ["a", None, "c"],
        "n": pa.array([1, None, 3]),
        "day": [date(2024, 5, 1), None, None],
        "at": [datetime(2024, 5, 1), datetime(2024, 5, 1, 9), None],
        "tags": [["x", "y"], [], None],
        "raw": [b"\xc3\xa9", b"\xff", None],
        "kind": pa.array(["p", "q", "p"]).dictionary_encode(),
    }
    table = texts.read_table(parquet_file(pa.table(data)))
    assert table.columns == tuple(data)
    assert table.rows[0] == ("a", "1", "2024-05-01", "2024-05-01", '["x", "y"]', "é", "p")
    assert table.rows[1] == ("", "", "", "2024-05-01 09:00:00", "[]", "\ufffd", "q")
    read = texts.collection(table)
    assert read.texts == ("a", "c")
    assert read.labels["kind"] == ("p", "p")
    assert read.note == "Rows without text, left out: 1."


def test_parquet_with_duplicate_and_empty_names(parquet_file):
    columns = [pa.array([value]) for value in "abc"]
    table = texts.read_table(parquet_file(pa.table(columns, names=["text", "text", ""])))
    assert table.columns == ("text", "text (2)", "column 3")


def test_parquet_without_rows(parquet_file):
    assert "no text" in refusal(parquet_file(pa.table({"text": pa.array([], pa.string())})))


def test_parquet_with_very_many_rows_of_nothing(parquet_file):
    path = parquet_file(pa.table({"text": ["a"] * 1_000_000}))
    assert path.stat().st_size < 10_000
    assert "1,000,000 rows" in refusal(path)


def test_parquet_that_unpacks_to_too_much(parquet_file, monkeypatch):
    monkeypatch.setattr(texts, "_MAX_UNPACKED", 1_000_000)
    shared = parquet_file(pa.table({"text": ["a" * 10_000] * 200}))
    assert shared.stat().st_size < 20_000
    assert "characters are too many" in refusal(shared)
    zeros = parquet_file(pa.table({"text": ["a" * 2_000_000]}), use_dictionary=False)
    assert "unpacked bytes are too many" in refusal(zeros)


# --- Refusals


@pytest.mark.parametrize("ending", texts.ENDINGS)
def test_empty_files(write, ending):
    assert "It is empty." in refusal(write(f"a{ending}", b""))


@pytest.mark.parametrize("ending", texts.ENDINGS)
def test_missing_files_and_folders(tmp_path, ending):
    assert "exists" in refusal(tmp_path / f"none{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    assert "exists" in refusal(tmp_path / f"folder{ending}")


@pytest.mark.parametrize("name", ["a.pdf", "a.xls", "a", "a.csv.gz", ".csv", "a\0.csv"])
def test_unknown_endings(tmp_path, name):
    message = refusal(tmp_path / name)
    assert all(ending in message for ending in texts.ENDINGS)


def test_files_above_the_limit(tmp_path):
    with open(tmp_path / "a.csv", "wb") as file:
        file.truncate(texts.MAX_BYTES + 1)
    assert re.search("20,000,001 bytes.*20,000,000", refusal(tmp_path / "a.csv"))


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "hello " * 100)
    return file.getvalue()


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".json", ".jsonl"])
@pytest.mark.parametrize(
    "content",
    [PNG, zipped(), random.Random(1).randbytes(5_000), "no mark".encode("utf-16-le"), b"\0" * 99],
    ids=["png", "zip", "random", "utf-16 without mark", "zeros"],
)
def test_binary_files_that_end_like_text(write, ending, content):
    assert "binary" in refusal(write(f"a{ending}", content))


@pytest.mark.parametrize("ending", [".xlsx", ".parquet"])
@pytest.mark.parametrize(
    "content", [b"text\nhello\n", PNG, zipped(), b"PAR1 PAR1", b"PK\x03\x04"], ids=range(5)
)
def test_text_and_damage_that_end_like_workbooks_or_parquet(write, ending, content):
    assert f"readable {ending}" in refusal(write(f"a{ending}", content))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".json", ".jsonl"])
@same_folder()
@given(content=st.binary(min_size=1) | st.text(string.printable + '"",;\t|{}[]:\n').map(str.encode))
@example(b"\xff\xfe\0")
@example(b"\xff\xfea")
@example(b"\xef\xbb\xbf")
@example(b'"')
@example(b'"a"b,"c\n,')
@example(b"\x81\x8d\x8f\n\x81")
@example(b",,,\n,,,")
@example(b"a\x1fb\x1e\n" * 9)
def test_any_bytes_are_read_or_refused(write, ending, content):
    read = outcome(write(f"a{ending}", content))
    if isinstance(read, InputError):
        assert isinstance(read.__cause__, InputError | RecursionError) or "has no text" in str(read)
    else:
        assert all(text == text.strip() and text for text in read.texts)


@pytest.mark.parametrize("kind", ["workbook", "parquet"])
@same_folder(max_examples=60)
@given(
    changes=st.lists(st.tuples(share, st.integers(0, 255)), max_size=4),
    end=share | st.just(1.0),
)
def test_damaged_files_are_read_or_refused(workbook, parquet_file, kind, changes, end):
    rows = [["text", "label"], *[[f"some text {i}", "xy"[i % 2]] for i in range(30)]]
    if kind == "workbook":
        path = workbook(rows)
    else:
        path = parquet_file(pa.table({"text": ["some text"] * 30, "tags": [["x"]] * 30}))
    content = bytearray(path.read_bytes())
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path.write_bytes(content[: 1 + int(end * len(content))])
    assert len(str(outcome(path))) < 3_000


# --- The house


def test_import_stays_light():
    code = "import sys, inbedder_core.texts; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {"pandas", "pyarrow", "openpyxl", "charset_normalizer"}
    assert heavy & set(run.stdout.split()) == set()
