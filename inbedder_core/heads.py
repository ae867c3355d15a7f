"""Masked-language-model heads: where each architecture keeps the parts that the method needs."""

from collections.abc import Callable, Mapping
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

    def states(self, inputs: Mapping[str, Tensor], rows: Tensor, masks: Tensor) -> Tensor:
        """The transformer's last hidden states at the masks alone.

        Args:
            inputs: ``input_ids`` (b, t), ``attention_mask`` (b, t) and, if the model reads them,
                ``token_type_ids`` (b, t).
            rows: (b, 1) row of each text.
            masks: (b, m) positions of its masks.

        Returns:
            (b, m, h). BERT and RoBERTa compute their last layer at the masks only, a seventh of
            the work of six layers.
        """
        if self.backbone.config.model_type not in LAYERED:
            return self.backbone(**inputs).last_hidden_state[rows, masks]  # type: ignore[no-any-return]
        visible = inputs["attention_mask"].bool()
        types = inputs.get("token_type_ids")
        hidden = self.backbone.embeddings(input_ids=inputs["input_ids"], token_type_ids=types)
        *layers, last = self.backbone.encoder.layer
        for layer in layers:
            hidden = _layer(layer, hidden, hidden, visible)
        return _layer(last, hidden[rows, masks], hidden, visible)


LAYERED = ("bert", "roberta", "xlm-roberta", "camembert")


def _layer(layer: Any, queries: Tensor, hidden: Tensor, visible: Tensor) -> Tensor:
    """A layer of BERT or RoBERTa at the queries: (b, q, h), (b, t, h), (b, t) -> (b, q, h).

    Plain matrix products, because the backward pass of PyTorch's fused attention in bfloat16 takes
    a third of a training step on a CPU.
    """
    own = layer.attention.self

    def heads(states: Tensor) -> Tensor:  # (b, t, h) -> (b, heads, t, h / heads)
        return states.view(*states.shape[:2], own.num_attention_heads, -1).transpose(1, 2)

    scores = heads(own.query(queries)) @ heads(own.key(hidden)).transpose(-1, -2)
    scores = scores * own.attention_head_size**-0.5
    scores = scores.masked_fill(~visible[:, None, None, :], torch.finfo(scores.dtype).min)
    weights = own.dropout(scores.float().softmax(-1).to(scores.dtype))
    context = (weights @ heads(own.value(hidden))).transpose(1, 2).flatten(-2)
    attended = layer.attention.output(context, queries)
    return layer.output(layer.intermediate(attended), attended)  # type: ignore[no-any-return]


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
