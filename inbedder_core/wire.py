"""What travels to the page: numbers as small typed arrays in base64, as Plotly sends its own.

`unpack` in assets/linked_data.js reads them, and `inflated` reads what was `deflated`.
"""

import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inbedder_core.schema import FloatArray

MISSING = -1
"""Fills up rows that are shorter than others."""

PER_UNIT = 10_000
"""Cosine similarities travel as whole numbers of this part of 1."""

DEFLATED_FROM = 200_000
"""Fewer characters than this travel as they are."""

_TYPES = ("u1", "i1", "u2", "i2", "i4")


def packed(numbers: NDArray[np.integer] | Sequence[int]) -> dict[str, Any]:
    """Whole numbers in the smallest type that holds them all.

    Args:
        numbers: (n,) or (n, k) whole numbers of at most 32 bits.

    Returns:
        ``dtype``, ``bdata`` and ``shape``, as in Plotly's figures but for the list of the shape.
    """
    array = np.asarray(numbers, dtype=np.int64)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    dtype = next(t for t in _TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    data = b64encode(array.astype(f"<{dtype}").tobytes()).decode("ascii")
    return {"dtype": dtype, "bdata": data, "shape": list(array.shape)}


def packed_rows(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Rows of numbers from 0, of different lengths; the rest is filled up with `MISSING`."""
    width = max(map(len, rows), default=0)
    array = np.full((len(rows), width), MISSING, dtype=np.int64)
    for row, values in zip(array, rows, strict=True):
        row[: len(values)] = values
    return packed(array) | {"ragged": True}


def packed_triangle(matrix: FloatArray) -> dict[str, Any]:
    """The upper half of a symmetric (m, m) matrix of cosine similarities, row by row."""
    half = matrix[np.triu_indices(len(matrix))]
    return packed(np.rint(half * PER_UNIT).astype(np.int64))


def deflated(text: str) -> str:
    """A long text in base64 of its zlib stream: Gradio's events are not compressed on their way.

    Args:
        text: JSON of an object, whose "{" no base64 begins with.

    Returns:
        The text itself below `DEFLATED_FROM` characters.
    """
    if len(text) < DEFLATED_FROM:
        return text
    # Level 3 takes a third of the time of the default and saves nearly as much.
    return b64encode(zlib.compress(text.encode(), level=3)).decode("ascii")
