"""Where and how precisely to compute."""

import os

import pytest
import torch

from inbedder_core import devices


def test_a_name_is_taken_at_its_word():
    assert devices.device("cpu") == torch.device("cpu")
    assert devices.precision("float16", torch.device("cpu")) == torch.float16
    assert devices.precision("float32", torch.device("cuda")) == torch.float32


def test_a_gpu_computes_in_float16_and_other_devices_in_float32():
    assert devices.precision("auto", torch.device("cuda")) == torch.float16
    assert devices.precision("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize(
    ("bfloat16", "expected"), [(0.5, torch.bfloat16), (0.95, torch.float32), (9, torch.float32)]
)
def test_a_processor_computes_in_bfloat16_where_that_is_clearly_faster(
    monkeypatch, bfloat16, expected
):
    took = {torch.float32: 1.0, torch.bfloat16: bfloat16}
    monkeypatch.setattr(devices, "seconds", took.get)
    devices.bfloat16_is_faster.cache_clear()
    try:
        assert devices.precision("auto", torch.device("cpu")) == expected
    finally:
        devices.bfloat16_is_faster.cache_clear()


def test_the_measurement_runs_once_and_takes_positive_time(monkeypatch):
    assert devices.seconds(torch.float32) > 0
    devices.bfloat16_is_faster.cache_clear()
    answer = devices.bfloat16_is_faster()
    monkeypatch.setattr(devices, "seconds", lambda _: pytest.fail("measured twice"))
    assert devices.bfloat16_is_faster() is answer


def test_a_disturbed_measurement_goes_on(monkeypatch):
    disturbed = iter([9.0] * 30)  # undisturbed, bfloat16 takes half the time of float32
    monkeypatch.setattr(
        devices, "seconds", lambda dtype: 1.0 if dtype == torch.float32 else next(disturbed, 0.5)
    )
    devices.bfloat16_is_faster.cache_clear()
    try:
        assert devices.bfloat16_is_faster()
    finally:
        devices.bfloat16_is_faster.cache_clear()


def test_few_products_are_kept_unless_somebody_says_how_many(monkeypatch):
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "9")
    devices.keep_few_products()
    assert os.environ[name] == "9"
    monkeypatch.delenv(name)
    devices.keep_few_products()
    assert os.environ[name] == str(devices.KEPT_PRODUCTS)
