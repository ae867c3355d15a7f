"""The fast path computes what the model computes."""

import pytest
import torch
from tiny import CONFIGS, model, tiny_encoder
from torch.nn.functional import gelu, relu
from transformers.activations import ACT2FN

from inbedder_core import layers
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


@pytest.mark.parametrize("t", [3, layers.SHORT + 5], ids=["short", "long"])
@pytest.mark.parametrize("size", [1, 30], ids=["usual scores", "enormous scores"])
@pytest.mark.parametrize("n_padded", [0, 2])
def test_attention_in_parts_is_pytorchs(t, size, n_padded):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 4, each, 16).bfloat16() for each in (3, t, t))
    visible = None
    if n_padded:
        visible = torch.zeros(2, 1, 1, t)
        visible[1, ..., -n_padded:] = -torch.inf
    exact = torch.nn.functional.scaled_dot_product_attention(
        (query * size).float(), key.float(), value.float(), attn_mask=visible, scale=0.25
    )
    near = layers._attention(
        query * size, key, value, None if visible is None else visible.bfloat16(), 0.25
    )
    assert near.dtype == torch.bfloat16
    cosines = torch.cosine_similarity(exact, near.float(), dim=-1)
    assert cosines.min() > (0.9999 if size == 1 else 0.9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_joined_and_packed_products_are_the_modules_own(dtype):
    torch.manual_seed(0)
    first, second = torch.nn.Linear(32, 48), torch.nn.Linear(32, 16)
    x, other = torch.randn(2, 5, 32), torch.randn(2, 5, 64)
    joined = layers._Linear(dtype, first, second)
    with torch.inference_mode():
        exact = torch.cat([first(x), second(x)], -1)
        found = {"itself": joined(x.to(dtype)), "sum": joined.plus(x.to(dtype), other.to(dtype))}
        expected = {"itself": exact, "sum": exact + other}
        for then in (gelu, ACT2FN["gelu_new"], relu):
            found[str(then)] = joined.then(x.to(dtype), then)
            expected[str(then)] = then(exact)
    tolerance = 1e-6 if dtype == torch.float32 else 0.03
    for name, near in found.items():
        torch.testing.assert_close(near.float(), expected[name], atol=tolerance, rtol=tolerance)
