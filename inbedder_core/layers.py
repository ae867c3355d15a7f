"""Fast inference: a transformer in the precision of the device, up to the states at the masks.

BERT's and RoBERTa's layers are taken apart: query, key and value in one product, PyTorch's fused
attention, no mask where nothing is padded, and the last layer at the masks alone. Every other
architecture runs as it is.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, scaled_dot_product_attention

from inbedder_core.heads import LAYERED

States = Callable[[Mapping[str, Tensor], Tensor, Tensor], Tensor]
"""Inputs (b, t) by name, rows (b, 1), positions of the masks (b, m) -> states there (b, m, h)."""

_Layer = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]


def states_at_masks(backbone: Any, dtype: torch.dtype) -> States:
    """Makes a transformer ready for inference.

    Args:
        backbone: A Hugging Face transformer without its head, in float32.
        dtype: Precision of the arithmetic; the weights are copied in it once.

    Returns:
        What computes the last hidden states at the masks. It takes ``input_ids``,
        ``attention_mask`` and, if the model reads them, ``token_type_ids``.
    """
    if backbone.config.model_type in LAYERED:
        return _joined(backbone, dtype)
    model = backbone if dtype == torch.float32 else copy.deepcopy(backbone).to(dtype)

    def states(inputs: Mapping[str, Tensor], rows: Tensor, masks: Tensor) -> Tensor:
        hidden: Tensor = model(**inputs).last_hidden_state
        return hidden[rows, masks]

    return states


def _joined(backbone: Any, dtype: torch.dtype) -> States:
    *layers, last = [_layer(layer, dtype) for layer in backbone.encoder.layer]

    def states(inputs: Mapping[str, Tensor], rows: Tensor, masks: Tensor) -> Tensor:
        attention = inputs["attention_mask"].bool()
        visible = None if bool(attention.all()) else attention[:, None, None, :]
        hidden = backbone.embeddings(
            input_ids=inputs["input_ids"], token_type_ids=inputs.get("token_type_ids")
        ).to(dtype)
        for layer in layers:
            hidden = layer(hidden, None, visible)
        return last(hidden, hidden[rows, masks], visible)

    return states


def _layer(layer: Any, dtype: torch.dtype) -> _Layer:
    """One layer: states (b, t, h), queries' states (b, q, h), visible (b, 1, 1, t) -> (b, q, h).

    Without queries, all tokens are queries; without ``visible``, all are visible.
    """

    def weights(*modules: Any) -> tuple[Tensor, Tensor]:
        kinds = [each.weight for each in modules], [each.bias for each in modules]
        weight, bias = (own[0] if len(own) == 1 else torch.cat(own) for own in kinds)
        return weight.detach().to(dtype), bias.detach().to(dtype)

    own, attended, output = layer.attention.self, layer.attention.output, layer.output
    weight, bias = weights(own.query, own.key, own.value)
    after_attention, up, down = map(
        weights, (attended.dense, layer.intermediate.dense, output.dense)
    )
    first_norm, second_norm = weights(attended.LayerNorm), weights(output.LayerNorm)
    activation = layer.intermediate.intermediate_act_fn
    size, n_heads, epsilon = len(weight) // 3, own.num_attention_heads, output.LayerNorm.eps

    def heads(states: Tensor, count: int) -> list[Tensor]:
        """(b, t, count · h) -> count times (b, heads, t, h / heads)."""
        split = states.view(*states.shape[:2], count, n_heads, size // n_heads)
        return list(split.permute(2, 0, 3, 1, 4))

    def run(hidden: Tensor, queries: Tensor | None, visible: Tensor | None) -> Tensor:
        if queries is None:
            query, key, value = heads(linear(hidden, weight, bias), 3)
            queries = hidden
        else:
            [query] = heads(linear(queries, weight[:size], bias[:size]), 1)
            key, value = heads(linear(hidden, weight[size:], bias[size:]), 2)
        context = scaled_dot_product_attention(query, key, value, attn_mask=visible)
        context = context.transpose(1, 2).flatten(-2)  # (b, q, h)
        queries = linear(context, *after_attention) + queries
        queries = layer_norm(queries, (size,), *first_norm, epsilon)
        inner = linear(activation(linear(queries, *up)), *down) + queries
        return layer_norm(inner, (size,), *second_norm, epsilon)

    return run
