"""Fast inference: a transformer in the precision of the device, up to the states at the masks.

BERT's and RoBERTa's layers are taken apart: query, key and value in one product, weights packed
for the processor, no mask where nothing is padded, and the last layer at the masks alone. Every
other architecture runs as it is.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

from inbedder_core.heads import LAYERED

States = Callable[[Mapping[str, Tensor], Tensor, Tensor], Tensor]
"""Inputs (b, t) by name, rows (b, 1), positions of the masks (b, m) -> states there (b, m, h)."""

PACKED_FOR = 512
"""Tokens in a batch that the layout of packed weights is made for; it serves others too."""

SHORT = 128
"""Tokens up to which the softmax is faster in float32; of more, the scores leave the cache."""


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
    *layers, last = backbone.encoder.layer
    middle, at_masks = [_layer(layer, dtype) for layer in layers], _last_layer(last, dtype)

    def states(inputs: Mapping[str, Tensor], rows: Tensor, masks: Tensor) -> Tensor:
        attention = inputs["attention_mask"].bool()
        visible = None
        if not attention.all():
            visible = torch.zeros(attention.shape, dtype=dtype, device=attention.device)
            visible = visible.masked_fill_(~attention, -torch.inf)[:, None, None, :]
        hidden: Tensor = backbone.embeddings(
            input_ids=inputs["input_ids"], token_type_ids=inputs.get("token_type_ids")
        ).to(dtype)
        for layer in middle:
            hidden = layer(hidden, visible)
        return at_masks(hidden, hidden[rows, masks], visible)

    return states


def _layer(layer: Any, dtype: torch.dtype) -> Callable[[Tensor, Tensor | None], Tensor]:
    """A layer: states (b, t, h), what to add to scores (b, 1, 1, t) -> states (b, t, h)."""
    own, finish = layer.attention.self, _after_attention(layer, dtype)
    project, n_heads = _Linear(dtype, own.query, own.key, own.value), own.num_attention_heads

    def run(hidden: Tensor, visible: Tensor | None) -> Tensor:
        b, t, h = hidden.shape
        projected = project(hidden).view(b, t, 3, n_heads, h // n_heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # (b, n, t, d) each
        context = _attention(query, key, value, visible, (h // n_heads) ** -0.5)
        return finish(context.transpose(1, 2).flatten(2), hidden)

    return run


def _last_layer(
    layer: Any, dtype: torch.dtype
) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """The layer at the masks: states (b, t, h), those of the masks (b, m, h) -> (b, m, h).

    So few queries need no key and no value of every token: q · (K x) = (Kᵀ q) · x, and the mean
    of values V x is V times the mean of x. The key's bias adds the same to all scores of a query,
    which no softmax sees; the value's is added once, as the weights sum to 1.
    """
    own, finish = layer.attention.self, _after_attention(layer, dtype)
    to_query, n = _Linear(dtype, own.query), own.num_attention_heads
    to_key, to_value = (
        each.weight.detach().to(dtype).unflatten(0, (n, -1))  # (n, d, h)
        for each in (own.key, own.value)
    )
    value_bias = own.value.bias.detach().to(dtype)

    def run(hidden: Tensor, queries: Tensor, visible: Tensor | None) -> Tensor:
        b, m, h = queries.shape
        query = to_query(queries).view(b, m, n, h // n)
        asked = torch.einsum("bmnd,ndh->bnmh", query, to_key).reshape(b, 1, n * m, h)
        tokens = hidden[:, None]  # (b, 1, t, h)
        means = _attention(asked, tokens, tokens, visible, (h // n) ** -0.5)
        context = torch.einsum("bnmh,ndh->bmnd", means.view(b, n, m, h), to_value)
        return finish(context.reshape(b, m, h) + value_bias, queries)

    return run


def _after_attention(layer: Any, dtype: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    """The rest of a layer: contexts and states before it (b, q, h) -> states (b, q, h)."""
    attended, output = layer.attention.output, layer.output
    after_attention, up, down = (
        _Linear(dtype, each) for each in (attended.dense, layer.intermediate.dense, output.dense)
    )
    activation = layer.intermediate.intermediate_act_fn
    probe = torch.linspace(-3, 3, 99)
    if torch.equal(activation(probe), gelu(probe)):  # not one of its approximations
        activation = gelu

    def norm(module: Any) -> Callable[[Tensor], Tensor]:
        weight, bias = (each.detach().to(dtype) for each in (module.weight, module.bias))
        return lambda x: layer_norm(x, weight.shape, weight, bias, module.eps)

    first, second = norm(attended.LayerNorm), norm(output.LayerNorm)

    def run(context: Tensor, before: Tensor) -> Tensor:
        states = first(after_attention.plus(context, before))
        return second(down.plus(up.then(states, activation), states))

    return run


class _Linear:
    """Linear layers that read the same, as one.

    In bfloat16 on a processor, the weights are packed in the layout that its products want, and
    what follows (GELU or a sum) is done while a result is still in the cache. PyTorch does so
    itself in what it compiles; called by hand it needs no compiler.

    Args:
        dtype: Precision.
        modules: The layers, whose outputs (…, o) of inputs (…, i) are put side by side.
    """

    def __init__(self, dtype: torch.dtype, *modules: Any) -> None:
        self.weight = torch.cat([each.weight for each in modules]).detach().to(dtype)  # (o, i)
        self.bias = torch.cat([each.bias for each in modules]).detach().to(dtype)
        self.packed = _by_onednn(self.weight)
        if self.packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, PACKED_FOR)

    def __call__(self, x: Tensor) -> Tensor:
        return self._packed_product(x) if self.packed else linear(x, self.weight, self.bias)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Its output and another tensor."""
        if self.packed:
            product = torch.ops.mkldnn._linear_pointwise.binary
            return cast(Tensor, product(x, other, self.weight, self.bias, "add"))
        return self(x) + other

    def then(self, x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
        """The activation of its output."""
        if self.packed and activation is gelu:
            return self._packed_product(x, "gelu")
        return activation(self(x))

    def _packed_product(self, x: Tensor, activation: str = "none") -> Tensor:
        product = torch.ops.mkldnn._linear_pointwise  # not there in every build of PyTorch
        return cast(Tensor, product(x, self.weight, self.bias, activation, [], "none"))


def _by_onednn(tensor: Tensor) -> bool:
    """Whether its products are computed by oneDNN: in bfloat16 on a processor."""
    return (
        tensor.dtype == torch.bfloat16
        and tensor.device.type == "cpu"
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )


def _attention(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scale: float
) -> Tensor:
    """Queries (b, n, q, d), keys and values (b, n, t, d) -> means of values (b, n, q, d).

    Where oneDNN multiplies, PyTorch's fused attention is slower than its parts.
    """
    if not _by_onednn(query):
        return scaled_dot_product_attention(query, key, value, attn_mask=visible, scale=scale)
    b, n, *_ = query.shape
    query, key, value = (each.flatten(0, 1) for each in (query, key, value))  # (b · n, ·, d)
    bias, beta = query.new_zeros(1), 0
    if visible is not None:
        bias, beta = visible.expand(b, n, 1, -1).flatten(0, 1), 1  # (b · n, 1, t)
    scores = torch.baddbmm(bias, query, key.transpose(1, 2), beta=beta, alpha=scale)
    weights = (scores.float() if scores.shape[-1] <= SHORT else scores).softmax(-1)
    return torch.bmm(weights.to(value.dtype), value).view(b, n, -1, value.shape[-1])
