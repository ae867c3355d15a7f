"""The fast path computes what the model computes."""

import pytest
import torch
from tiny import CONFIGS, model, tiny_encoder

from inbedder_core.heads import LAYERED
from inbedder_core.layers import states_at_masks
from inbedder_core.prompts import PromptBuilder

TEXTS = ["I love cats!", "The waiter was slow, and nobody was hurt", "sushi", ""]


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1]], ids=["padded", "one length"])
def test_states_are_the_models_own(family, texts):
    encoder = tiny_encoder(family)
    prompts = PromptBuilder(encoder.tokenizer, "card", 64).build(texts, ["Why?"] * len(texts), 2)
    inputs, rows, masks = encoder.inputs(prompts, 2)
    with torch.inference_mode():
        found = states_at_masks(encoder.head.backbone, torch.float32)(inputs, rows, masks)
        for row, prompt in enumerate(prompts):  # alone, so nothing is padded
            alone, *_ = encoder.inputs([prompt], 2)
            states = encoder.head.backbone(**alone).last_hidden_state[0]
            at = slice(prompt.first_mask, prompt.first_mask + 2)
            torch.testing.assert_close(found[row], states[at], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", CONFIGS)
def test_reduced_precision_stays_near(family):
    encoder = tiny_encoder(family)
    prompts = PromptBuilder(encoder.tokenizer, "card", 64).build(TEXTS, ["Why?"] * len(TEXTS), 2)
    batch = encoder.inputs(prompts, 2)
    with torch.inference_mode():
        exact, near = (
            states_at_masks(encoder.head.backbone, dtype)(*batch).float()
            for dtype in (torch.float32, torch.bfloat16)
        )
    assert torch.cosine_similarity(exact, near, dim=-1).min() > 0.995
    assert not torch.equal(exact, near)


def test_the_model_itself_stays_as_it_is():
    network, _ = model("bert")
    before = {name: each.dtype for name, each in network.named_parameters()}
    states_at_masks(network.base_model, torch.bfloat16)
    assert {name: each.dtype for name, each in network.named_parameters()} == before
    assert {model(family)[0].config.model_type for family in CONFIGS} & {*LAYERED}
