"""What a training step minimises, and the forward pass that it needs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from inbedder_core.heads import Head
from inbedder_core.prompts import Prompt


class Transformer:
    """The transformer in training: forwards to the states at the masks, and back.

    On a CPU the micro-batches are shared out to two or more threads that compute with one core
    each. That keeps the cores busier than parallel matrix products (the many small steps between
    them run in parallel too), and it doesn't collapse when other work claims a core.
    """

    def __init__(
        self, head: Head, pad_id: int, batch_tokens: int, threads: int, dtype: torch.dtype
    ) -> None:
        """Prepares the threads.

        Args:
            head: The model, taken apart.
            pad_id: Id of the padding token.
            batch_tokens: Largest number of tokens in a micro-batch, padding included.
            threads: Number of threads; 1 on a GPU.
            dtype: Precision of the matrix products.
        """
        self.head, self.pad_id, self.batch_tokens, self.dtype = head, pad_id, batch_tokens, dtype
        self.parameters = [each for each in head.backbone.parameters() if each.requires_grad]
        self.device = self.parameters[0].device
        self.threads = threads
        # Here, torch's number of threads is each thread's own.
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def __call__(
        self, prompts: Sequence[Prompt], n_masks: int
    ) -> tuple[Tensor, Callable[[], None]]:
        """Runs prompts through the transformer.

        Args:
            prompts: b prompts with ``n_masks`` masks each.
            n_masks: Number of masks.

        Returns:
            (b, n_masks, h) the last layer's states at the masks, a leaf of the graph; and a
            function that takes the gradient which the leaf has got on to the parameters.
        """
        parts = _parts(
            [len(prompt.input_ids) for prompt in prompts], self.batch_tokens, self.threads
        )

        def forward(part: list[list[int]]) -> Tensor:
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                states = [
                    _micro_batch(self.head, [prompts[i] for i in batch], n_masks, self.pad_id)
                    for batch in part
                ]
            return torch.cat(states).float()

        outputs = list(self.pool.map(forward, parts))
        order = torch.tensor([i for part in parts for batch in part for i in batch])
        back = order.argsort().to(self.device)
        leaf = torch.cat([output.detach() for output in outputs])[back].requires_grad_()

        def backward() -> None:
            assert leaf.grad is not None
            sizes = [len(output) for output in outputs]
            slices = torch.split(leaf.grad[order.to(self.device)], sizes)

            def gradients(pair: tuple[Tensor, Tensor]) -> tuple[Tensor | None, ...]:
                return torch.autograd.grad(
                    pair[0], self.parameters, pair[1], allow_unused=True, materialize_grads=False
                )

            for found in self.pool.map(gradients, zip(outputs, slices, strict=True)):
                for parameter, gradient in zip(self.parameters, found, strict=True):
                    if gradient is not None and parameter.grad is None:
                        parameter.grad = gradient
                    elif gradient is not None:
                        parameter.grad.add_(gradient)

        return leaf, backward


def _parts(lengths: Sequence[int], batch_tokens: int, count: int) -> list[list[list[int]]]:
    """Indices in micro-batches of similar length, shared out to at most ``count`` equal parts."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches = []
    while order:
        size = max(1, batch_tokens // lengths[order[0]])
        batches.append(order[:size])
        order = order[size:]
    parts: list[list[list[int]]] = [[] for _ in range(count)]
    costs = [0] * count
    for batch in batches:  # the costliest first, each to the part that has least
        least = costs.index(min(costs))
        parts[least].append(batch)
        costs[least] += len(batch) * lengths[batch[0]]
    return [part for part in parts if part]


def _micro_batch(head: Head, prompts: Sequence[Prompt], n_masks: int, pad_id: int) -> Tensor:
    device = next(head.backbone.parameters()).device
    ids = [torch.tensor(prompt.input_ids) for prompt in prompts]
    types = [torch.tensor(prompt.token_type_ids) for prompt in prompts]
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(each) for each in ids])
    attention = torch.arange(padded.shape[1]) < lengths[:, None]  # (b, t)
    first = torch.tensor([prompt.first_mask for prompt in prompts])
    masks = first[:, None] + torch.arange(n_masks)  # (b, n_masks)
    type_ids = torch.nn.utils.rnn.pad_sequence(types, batch_first=True)
    inputs = (each.to(device) for each in (padded, type_ids, attention, masks))
    return _forward(head.backbone, *inputs)


def _forward(backbone: Any, ids: Tensor, types: Tensor, attention: Tensor, masks: Tensor) -> Tensor:
    """States at the masks: (b, t) ids -> (b, n_masks, h)."""
    rows = torch.arange(len(ids), device=ids.device)[:, None]  # (b, 1)
    kind = backbone.config.model_type
    if kind not in ("bert", "roberta", "xlm-roberta", "camembert"):
        hidden = backbone(input_ids=ids, attention_mask=attention.long()).last_hidden_state
        return hidden[rows, masks]  # type: ignore[no-any-return]
    hidden = backbone.embeddings(input_ids=ids, token_type_ids=types * (kind == "bert"))
    *layers, last = backbone.encoder.layer
    for layer in layers:
        hidden = _layer(layer, hidden, hidden, attention)
    # Only the masks are read, so the last layer is computed there alone.
    return _layer(last, hidden[rows, masks], hidden, attention)


def _layer(layer: Any, queries: Tensor, hidden: Tensor, attention: Tensor) -> Tensor:
    """One layer of BERT at the queries: (b, q, h), (b, t, h) -> (b, q, h).

    Plain matrix products: on a CPU they train twice as fast as the fused attention, whose
    backward pass is slow in bfloat16.
    """
    own = layer.attention.self

    def heads(states: Tensor) -> Tensor:  # (b, t, h) -> (b, heads, t, h / heads)
        return states.view(*states.shape[:2], own.num_attention_heads, -1).transpose(1, 2)

    scores = heads(own.query(queries)) @ heads(own.key(hidden)).transpose(-1, -2)
    scores = scores * own.attention_head_size**-0.5
    scores = scores.masked_fill(~attention[:, None, None, :], -1e4)
    weights = own.dropout(scores.float().softmax(-1).to(scores.dtype))
    context = (weights @ heads(own.value(hidden))).transpose(1, 2).flatten(-2)
    attended = layer.attention.output(context, queries)
    return layer.output(layer.intermediate(attended), attended)  # type: ignore[no-any-return]


def answer_loss(logits: Tensor, answers: Sequence[Sequence[int]], weights: Tensor) -> Tensor:
    """Cross-entropy of the answer's tokens, all read from one distribution.

    Args:
        logits: (b, vocabulary) from the mean over the masks.
        answers: b answers, as token ids.
        weights: (b,) weight of each example.

    Returns:
        Scalar: the weighted mean over examples of the mean over their answers' tokens.
    """
    rows = [row for row, answer in enumerate(answers) for _ in answer]
    tokens = torch.tensor([token for answer in answers for token in answer], device=logits.device)
    share = torch.tensor([1 / len(answers[row]) for row in rows], device=logits.device)
    log_probabilities = logits.float().log_softmax(-1)[rows, tokens]
    return -(log_probabilities * share * weights[rows]).sum() / weights.sum()


def contrast_loss(
    embeddings: Tensor, targets: Tensor, similarity: Tensor, temperature: float
) -> Tensor:
    """InfoNCE with soft positives: embeddings should find the vectors of their own answers.

    Args:
        embeddings: (b, d) of unit length.
        targets: (c, d) of unit length.
        similarity: (b, c) cosine similarity of the answers' words; -inf leaves a pair out.
        temperature: Of the softmax.

    Returns:
        Scalar. The distribution over targets is pulled towards softmax(similarity / 0.05), in
        which equal answers share nearly all the mass and near ones get a little.
    """
    wanted = (similarity / 0.05).softmax(-1)
    logits = (embeddings @ targets.T / temperature).masked_fill(similarity == -torch.inf, -1e4)
    return -(wanted * logits.log_softmax(-1)).sum(-1).mean()


def standardized(vectors: Tensor) -> Tensor:
    """(…, d) -> unit vectors of mean 0: what the cosine of two embeddings sees."""
    return normalize(vectors - vectors.mean(-1, keepdim=True), dim=-1)
