"""Averages of checkpoints."""

import copy

import pytest
import torch
from safetensors.torch import load_file
from tiny import model as tiny_model
from transformers import AutoModelForMaskedLM, AutoTokenizer

from inbedder_core.errors import InputError
from inbedder_core.recipes.average import WEIGHTS, average, main


@pytest.fixture
def saved(tmp_path):
    """Folders of two tiny checkpoints with different weights, and of one of another family."""
    for name, family, seed in (("one", "bert", 1), ("two", "bert", 2), ("other", "roberta", 3)):
        shared, tokenizer = tiny_model(family)
        network = copy.deepcopy(shared)
        torch.manual_seed(seed)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)
        network.half().save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    return tmp_path


def test_the_weights_are_averaged_by_their_shares(saved):
    assert main([f"{saved}/one=1", f"{saved}/two=3", "--out", f"{saved}/mean"]) == 0
    one, two, mean = (load_file(saved / name / WEIGHTS) for name in ("one", "two", "mean"))
    for name, tensor in mean.items():
        assert tensor.dtype == torch.float16
        expected = 0.25 * one[name].double() + 0.75 * two[name].double()
        torch.testing.assert_close(tensor, expected.half())
    assert AutoModelForMaskedLM.from_pretrained(saved / "mean").config.model_type == "bert"
    assert AutoTokenizer.from_pretrained(saved / "mean").mask_token == "<mask>"


def test_a_single_checkpoint_is_its_own_average(saved):
    average({saved / "one": 5.0}, saved / "mean")
    assert (saved / "mean" / WEIGHTS).read_bytes() == (saved / "one" / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (["one=1", "other=1"], "has other weights than"),
        (["one=1", "nowhere=1"], "no model.safetensors"),
        (["one=1", "two=-1"], "more than 0"),
    ],
)
def test_what_has_no_average_is_refused_in_a_sentence(saved, capsys, shares, message):
    assert main([*(f"{saved}/{share}" for share in shares), "--out", f"{saved}/mean"]) == 1
    assert message in capsys.readouterr().err
    assert not (saved / "mean").exists()


def test_a_share_without_a_number_is_a_mistake_of_the_command(saved, capsys):
    with pytest.raises(SystemExit):
        main([f"{saved}/one", "--out", f"{saved}/mean"])
    assert "is not FOLDER=SHARE" in capsys.readouterr().err


def test_shares_that_add_up_to_nothing_are_refused():
    with pytest.raises(InputError):
        average({}, None)
