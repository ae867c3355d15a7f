"""Masked-language-model heads: where each architecture keeps the parts that the method needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Head:
    """The parts of a masked language model that the method needs.

    Attributes:
        backbone: The transformer without its head.
        transform: Hidden states (…, h) -> (…, d): dense, activation, layer norm.
        decode: (…, d) -> logits (…, vocabulary).
    """

    backbone: Any
    transform: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


def _roberta(model: Any) -> Head:
    head, gelu = model.lm_head, torch.nn.functional.gelu
    return Head(model.base_model, lambda h: head.layer_norm(gelu(head.dense(h))), head.decoder)


def _bert(model: Any) -> Head:
    head = model.cls.predictions
    return Head(model.base_model, head.transform, head.decoder)


def _distilbert(model: Any) -> Head:
    return Head(
        model.base_model,
        lambda h: model.vocab_layer_norm(model.activation(model.vocab_transform(h))),
        model.vocab_projector,
    )


def _albert(model: Any) -> Head:
    head = model.predictions
    return Head(
        model.base_model, lambda h: head.LayerNorm(head.activation(head.dense(h))), head.decoder
    )


def _electra(model: Any) -> Head:
    return Head(model.base_model, model.generator_predictions, model.generator_lm_head)


def _deberta(model: Any) -> Head:
    if model.legacy:
        return _bert(model)
    head, words = model.lm_predictions.lm_head, model.get_input_embeddings()
    return Head(
        model.base_model,
        lambda h: head.LayerNorm(head.transform_act_fn(head.dense(h))),
        lambda h: h @ words.weight.T + head.bias,
    )


def _modernbert(model: Any) -> Head:
    return Head(model.base_model, model.head, model.decoder)


HEADS: dict[str, Callable[[Any], Head]] = {
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "camembert": _roberta,
    "mpnet": _roberta,
    "bert": _bert,
    "distilbert": _distilbert,
    "albert": _albert,
    "electra": _electra,
    "deberta-v2": _deberta,
    "modernbert": _modernbert,
}
"""How the language-model head of each architecture (``config.model_type``) is taken apart."""
