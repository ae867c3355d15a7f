"""What travels to the page, read back by the page's own script."""

import json
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_core.wire import DEFLATED_FROM, deflated, packed, packed_rows, packed_triangle

SCRIPTS = [
    Path(__file__).parents[1] / "assets" / name for name in ("linked_data.js", "linked_table.js")
]
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="needs node")


def read_by_the_page(call, spec):
    program = "\n".join(script.read_text("utf-8") for script in SCRIPTS)
    program += f"\nconst spec = {json.dumps(spec)};\n"
    program += f"Promise.resolve({call}).then((read) => console.log(JSON.stringify(read)));"
    done = subprocess.run(
        ["node", "-"], input=program, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return json.loads(done.stdout)


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_numbers_take_the_smallest_type_and_come_back(numbers):
    spec = packed(numbers)
    back = np.frombuffer(b64decode(spec["bdata"]), f"<{spec['dtype']}")
    assert back.tolist() == numbers
    assert spec["shape"] == [len(numbers)]


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ([], "u1"),
        ([0, 255], "u1"),
        ([-1, 127], "i1"),
        ([256], "u2"),
        ([-1, 128], "i2"),
        ([-1, 40_000], "i4"),
    ],
)
def test_types(numbers, dtype):
    assert packed(numbers)["dtype"] == dtype


@needs_node
@pytest.mark.parametrize(("value", "share"), [(0.0, 0), (0.3, 100 / 3), (0.5, 200 / 3), (0.9, 100)])
def test_the_page_counts_the_pairs_that_are_less_alike(value, share):
    matrix = [[1, 0.2, 0.4], [0.2, 1, 0.6], [0.4, 0.6, 1]]
    spec = {"cells": 3, "everyCell": True, "z": matrix, "value": value}
    call = "rankOfSimilarity(spec, { z: spec.z.map((r) => Float32Array.from(r)) }, spec.value)"
    assert read_by_the_page(call, spec) == pytest.approx(share)


@needs_node
def test_the_page_reads_numbers_and_rows():
    assert read_by_the_page("unpack(spec)", packed([3, -1, 70_000])) == [3, -1, 70_000]
    table = np.array([[1, -2], [300, 4]])
    assert read_by_the_page("unpack(spec)", packed(table)) == table.tolist()
    assert read_by_the_page("unpack(spec)", packed(np.zeros((2, 0), int))) == [[], []]
    rows = [[1, 2], [], [0]]
    assert read_by_the_page("unpack(spec)", packed_rows(rows)) == rows
    assert read_by_the_page("unpack(spec)", packed_rows([[], []])) == [[], []]


@needs_node
@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_page_mirrors_a_matrix(size):
    vectors = np.random.default_rng(size).normal(size=(size, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    matrix = (vectors @ vectors.T).astype(np.float32)
    rows = read_by_the_page(
        "mirrored(decode(spec)).map((row) => Array.from(row))", packed_triangle(matrix)
    )
    np.testing.assert_allclose(rows, matrix, atol=5.1e-5)


@needs_node
@pytest.mark.parametrize("n", [1, DEFLATED_FROM // 20, DEFLATED_FROM])
def test_the_page_reads_short_and_deflated_texts(n):
    text = json.dumps({"texts": [f"Größe {i} <b>\U0001f408" for i in range(n)]}, ensure_ascii=False)
    travels = deflated(text)
    assert (travels == text) == (len(text) < DEFLATED_FROM)
    assert len(travels) <= len(text)
    assert read_by_the_page("inflated(spec)", travels) == text
