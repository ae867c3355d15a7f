"""Literal transcriptions of the two published ways to encode, for parity tests only.

They keep what the originals do wrong on other input (masks may be truncated away, a mask in a
text breaks the shapes), so they are only compared on plain, short input.
"""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import gelu

BACKBONE = {"modernbert": "model"}


def card(
    model: Any, tokenizer: Any, input_texts: list[str], instruction: str | list[str], n_mask: int
) -> np.ndarray:
    """The model card of KomeijiForce/inbedder-roberta-large; its head is RoBERTa's."""
    if type(instruction) is str:
        prompts = [instruction + tokenizer.mask_token * n_mask for input_text in input_texts]
    else:
        prompts = [inst + tokenizer.mask_token * n_mask for inst in instruction]
    inputs = tokenizer(input_texts, prompts, padding=True, truncation=True, return_tensors="pt")
    mask = inputs.input_ids.eq(tokenizer.mask_token_id)
    with torch.no_grad():
        outputs = model.base_model(**inputs)
        logits = outputs.last_hidden_state[mask]
        logits = _transform(model, logits)
        logits = logits.reshape(len(input_texts), n_mask, -1)
        logits = logits.mean(1)
        logits = (logits - logits.mean(1, keepdim=True)) / logits.std(1, keepdim=True)
    return logits.numpy()


def repository(
    model: Any, tokenizer: Any, input_texts: list[str], instruction: str, n_mask: int
) -> np.ndarray:
    """The authors' repository: MaskedLMEncoder with "avg_gen_layer_<last>"."""
    pattern = "### Input:\n{input}\n\n### Instruction:\n{instruction}\n\n### Response:"
    corpus = [
        pattern.replace("{input}", s).replace("{instruction}", instruction) for s in input_texts
    ]
    sentences = [st + tokenizer.mask_token * n_mask for st in corpus]
    features = tokenizer(
        sentences, padding=True, truncation=True, max_length=512, return_tensors="pt"
    )
    with torch.no_grad():
        hidden_states = model(**features, output_hidden_states=True)["hidden_states"]
    is_mask = torch.eq(features["input_ids"], tokenizer.mask_token_id)
    rows = zip(hidden_states[-1], is_mask, strict=True)
    return torch.stack([hs[m].mean(0) for hs, m in rows]).numpy()


def _transform(model: Any, h: torch.Tensor) -> torch.Tensor:
    """The card's ``layer_norm(gelu(dense(h)))`` with each family's own names."""
    kind = model.config.model_type
    if kind in ("roberta", "mpnet"):
        return model.lm_head.layer_norm(gelu(model.lm_head.dense(h)))
    if kind == "bert" or (kind == "deberta-v2" and model.config.legacy):
        transform = model.cls.predictions.transform
        return transform.LayerNorm(gelu(transform.dense(h)))
    if kind == "deberta-v2":
        head = model.lm_predictions.lm_head
        return head.LayerNorm(gelu(head.dense(h)))
    if kind == "distilbert":
        return model.vocab_layer_norm(gelu(model.vocab_transform(h)))
    if kind == "albert":
        # "gelu_new" is ALBERT's own activation
        head = model.predictions
        return head.LayerNorm(gelu(head.dense(h), approximate="tanh"))
    if kind == "electra":
        head = model.generator_predictions
        return head.LayerNorm(gelu(head.dense(h)))
    return model.head.norm(gelu(model.head.dense(h)))
