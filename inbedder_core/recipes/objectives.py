"""What a training step minimises, and the forward pass that it needs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn.functional import normalize

from inbedder_core.encoder import InBedder
from inbedder_core.prompts import Prompt, batches

SAME_ANSWER = 0.9
"""Answers are taken to be the same above this cosine similarity of their words' vectors."""


class Transformer:
    """The transformer in training: forwards to the states at the masks, and back.

    On a CPU the micro-batches are shared out to two or more threads that compute with one core
    each. That keeps the cores busier than parallel matrix products (the many small steps between
    them run in parallel too), and it doesn't collapse when other work claims a core.
    """

    def __init__(self, encoder: InBedder, batch_tokens: int, threads: int) -> None:
        """Prepares the threads.

        Args:
            encoder: The model.
            batch_tokens: Largest number of tokens in a micro-batch, padding included.
            threads: Number of threads; 1 on a GPU.
        """
        self.encoder, self.batch_tokens, self.threads = encoder, batch_tokens, threads
        self.parameters = list(encoder.head.backbone.parameters())
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
        parts = _parts(prompts, self.batch_tokens, self.threads)

        def forward(part: list[list[int]]) -> Tensor:
            # Casts that threads share would round by who comes first, and runs would differ.
            states = []
            with autocast(self.encoder, cached=False):
                for batch in part:
                    inputs = self.encoder.inputs([prompts[i] for i in batch], n_masks)
                    states.append(self.encoder.head.states(*inputs))
            return torch.cat(states).float()

        outputs = list(self.pool.map(forward, parts))
        order = torch.tensor([i for part in parts for batch in part for i in batch])
        back = order.argsort().to(self.encoder.device)
        leaf = torch.cat([output.detach() for output in outputs])[back].requires_grad_()

        def backward() -> None:
            assert leaf.grad is not None
            sizes = [len(output) for output in outputs]
            slices = torch.split(leaf.grad[order.to(self.encoder.device)], sizes)

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


def autocast(encoder: InBedder, *, cached: bool = True) -> torch.autocast:
    """A context in which the transformer and its head compute in the encoder's precision.

    Args:
        encoder: The model.
        cached: Cast the weights once for the whole context. Threads share the casts.
    """
    reduced = encoder.dtype != torch.float32
    dtype = encoder.dtype if reduced else None
    return torch.autocast(encoder.device.type, dtype, enabled=reduced, cache_enabled=cached)


def _parts(prompts: Sequence[Prompt], batch_tokens: int, count: int) -> list[list[list[int]]]:
    """Indices in micro-batches of similar length, shared out to at most ``count`` equal parts."""
    parts: list[list[list[int]]] = [[] for _ in range(count)]
    costs = [0] * count
    for batch in batches(prompts, batch_tokens):  # each to the part that has least
        least = costs.index(min(costs))
        parts[least].append(batch)
        costs[least] += len(batch) * len(prompts[batch[0]].input_ids)
    return [part for part in parts if part]


def answer_loss(logits: Tensor, answers: Sequence[Sequence[int]]) -> Tensor:
    """Cross-entropy of the answer's tokens, all read from one distribution.

    Args:
        logits: (b, vocabulary) from the mean over the masks.
        answers: b answers, as token ids.

    Returns:
        Scalar: the mean over examples of the mean over their answers' tokens.
    """
    rows = [row for row, answer in enumerate(answers) for _ in answer]
    tokens = torch.tensor([token for answer in answers for token in answer], device=logits.device)
    share = torch.tensor([1 / len(answers[row]) for row in rows], device=logits.device)
    log_probabilities = logits.float().log_softmax(-1)[rows, tokens]
    return -(log_probabilities * share).sum() / len(answers)


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


def facet_loss(
    embeddings: Tensor, facets: Sequence[str], similarity: Tensor, temperature: float
) -> Tensor | None:
    """The contrast among texts that were asked the same, as a collection of texts is looked at.

    What all texts have in common under one question, the question itself first of all, says
    nothing about how they group. So each facet's mean is taken from its embeddings.

    Args:
        embeddings: (b, d) of unit length.
        facets: b names of what was asked; "" takes no part.
        similarity: (b, b) cosine similarity of the answers' words; -inf on the diagonal.
        temperature: Of the softmax.

    Returns:
        Scalar; None where no facet has both texts with the same answer and one with another.
    """
    number = {facet: i for i, facet in enumerate(dict.fromkeys(facets))}
    numbers = torch.tensor([number[facet] for facet in facets], device=embeddings.device)
    known = torch.tensor([facet != "" for facet in facets], device=embeddings.device)
    asked_alike = (numbers[:, None] == numbers) & known  # (b, b)
    mean = asked_alike / asked_alike.sum(1, keepdim=True).clamp(min=1) @ embeddings
    within = similarity.masked_fill(~asked_alike, -torch.inf)
    same = within > SAME_ANSWER
    useful = same.any(1) & (within.isfinite() & ~same).any(1) & known
    if not useful.any():
        return None
    relative = normalize(embeddings - mean, dim=-1)
    return contrast_loss(relative[useful], relative, within[useful], temperature)


def standardized(vectors: Tensor) -> Tensor:
    """(…, d) -> unit vectors of mean 0: what the cosine of two embeddings sees."""
    return normalize(vectors - vectors.mean(-1, keepdim=True), dim=-1)
