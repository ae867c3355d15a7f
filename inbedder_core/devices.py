"""Where and how precisely to compute, found out once per process."""

import os
import time
from functools import cache
from typing import Literal

import torch

DType = Literal["auto", "float32", "bfloat16", "float16"]

FASTER = 1.2
"""bfloat16 is taken on a processor where it is at least this many times as fast as float32."""

KEPT_PRODUCTS = 64
"""A batch needs some fourteen, and two are computed side by side."""

_SHAPES = (128, 384, 1536)  # tokens, states and inner states of a small transformer
_LEAST_TURNS, _MOST_TURNS = 10, 50


def keep_few_products() -> None:
    """Saves a long-lived process memory; to be called before anything is computed.

    oneDNN, which multiplies for PyTorch, keeps 1,024 products of different shapes, up to a
    megabyte each. Texts of all lengths fill them soon, and hardly any is needed again.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KEPT_PRODUCTS))


def device(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU if there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision(name: DType, on: torch.device) -> torch.dtype:
    """The precision of a name.

    Args:
        name: "auto" is float16 on a GPU; on a processor bfloat16 if that proves faster.
        on: The device.
    """
    if name != "auto":
        dtypes: dict[str, torch.dtype] = {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }
        return dtypes[name]
    if on.type == "cuda":
        return torch.float16
    return torch.bfloat16 if on.type == "cpu" and bfloat16_is_faster() else torch.float32


@cache
def bfloat16_is_faster() -> bool:
    """Whether the processor computes with bfloat16; where it's emulated, float32 is faster.

    Measured once on the products of a small transformer, in some twenty milliseconds; on a busy
    machine it takes as long as it needs to find a quiet moment for both.
    """
    exact = reduced = float("inf")
    for turn in range(_MOST_TURNS):
        exact, reduced = min(exact, seconds(torch.float32)), min(reduced, seconds(torch.bfloat16))
        if turn >= _LEAST_TURNS and exact > FASTER**2 * reduced:
            break
    return exact > FASTER * reduced


@torch.inference_mode()
def seconds(dtype: torch.dtype) -> float:
    """What a small matrix product takes in a precision; short, so that some aren't interrupted."""
    tokens, size, inner = _SHAPES
    states, weight = torch.ones(tokens, size, dtype=dtype), torch.ones(inner, size, dtype=dtype)
    began = time.perf_counter()
    torch.nn.functional.linear(states, weight)
    return time.perf_counter() - began
