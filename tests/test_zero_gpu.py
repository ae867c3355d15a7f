"""Borrowing a GPU. There is no ZeroGPU here, so its decorator is stood in for, as documented."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tiny_encoder

from inbedder_core.errors import InputError
from ui import zero_gpu


@pytest.fixture
def borrowed(monkeypatch):
    """The module as on a Space with ZeroGPU, and what was asked for with each call."""
    asked = []

    def gpu(duration):
        def decorator(function):
            def call(*args):
                asked.append(duration(*args))
                return function(*args)

            return call

        return decorator

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    yield importlib.reload(zero_gpu), asked
    monkeypatch.undo()
    importlib.reload(zero_gpu)


def test_what_is_wrong_with_the_input_crosses_over_in_its_own_words(borrowed):
    lent = borrowed[0].lent(tiny_encoder("bert"))
    with pytest.raises(InputError, match="number of masks must be from 1 to 10, not 99"):
        lent(["I love cats"], "Why?", 99)


def test_a_process_that_began_before_a_checkpoint_was_loaded_loads_it(borrowed, monkeypatch):
    module, encoder = borrowed[0], tiny_encoder("bert")
    lent = module.lent(encoder)
    module._encoders.clear()  # as it is in such a process
    monkeypatch.setattr(module, "_loaded", {encoder.spec.name: encoder}.__getitem__)
    assert len(lent(["I love cats"], "Why?").embeddings) == 1


def test_no_more_checkpoints_are_kept_than_without_a_borrowed_gpu(borrowed):
    module = borrowed[0]
    for family in ("bert", "roberta"):
        module.lent(tiny_encoder(family))
    assert len(module._encoders) == 1


def test_elsewhere_nothing_changes():
    encoder = tiny_encoder("bert")
    assert zero_gpu.lent(encoder) is encoder


def test_a_lent_encoder_reads_as_the_encoder_does(borrowed):
    module, asked = borrowed
    encoder, texts, told = tiny_encoder("bert"), ["I love cats"] * 250, []
    lent = module.lent(encoder)
    assert lent is not encoder
    assert lent.spec == encoder.spec
    found = lent(texts, "Why?", 2, top_k=1, on_progress=lambda *step: told.append(step))
    expected = encoder(texts, "Why?", 2, top_k=1)
    np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-6)
    assert found.answers == expected.answers
    assert told == [(250, 250)]
    assert asked == [module.SETUP_S + 2]
