"""InBedder: the embedding of a text is the answer that the model expects to an instruction.

A masked language model reads a text and an instruction that ends in masks. What stands at the
masks is the expected answer, and its hidden state is the embedding (Peng et al., ACL 2024,
"Answer is All You Need", section 3). Both published variants are here, see `prompts`.
"""

import inspect
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from inbedder_core import devices
from inbedder_core.answers import CANDIDATES, AnswerReader
from inbedder_core.devices import DType
from inbedder_core.errors import CheckpointError, InputError
from inbedder_core.heads import HEADS
from inbedder_core.layers import States, states_at_masks
from inbedder_core.prompts import Prompt, PromptBuilder, batches, padded
from inbedder_core.registry import BUNDLED, load, resolve
from inbedder_core.schema import (
    MAX_MASKS,
    Answer,
    Encoding,
    FloatArray,
    ModelSpec,
    OnProgress,
)
from inbedder_core.similarity import unit_vectors

BATCH_TOKENS, GPU_BATCH_TOKENS = 768, 65_536
"""Tokens in a batch. What a core's small batch computes stays in its cache; a GPU wants more."""

DECODED = 128
"""Answers that are turned into words at a time: enough to make reading the vocabulary's whole
matrix pay, few enough for their probabilities to fit in memory."""


class InBedder:
    """An instruction-following text embedder.

    Example:
        >>> encoder = InBedder.from_pretrained()
        >>> encoder.encode(["I love cats", "I love dogs"], "What animal is mentioned?").shape
        (2, 384)
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        spec: ModelSpec,
        *,
        device: str = "auto",
        dtype: DType = "auto",
    ) -> None:
        """Wraps a loaded masked language model; most callers want `from_pretrained`.

        Args:
            model: A Hugging Face model with a masked-language-model head.
            tokenizer: Its tokenizer, with a fast backend.
            spec: Which checkpoint this is and which method it was made for.
            device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps"…
            dtype: Precision of the transformer's arithmetic. "auto" takes float16 on a GPU,
                bfloat16 where it proves faster on this processor, else float32. Heads, averages
                and results are always float32.

        Raises:
            CheckpointError: The architecture or the tokenizer is not supported.
        """
        kind = model.config.model_type
        if kind not in HEADS:
            raise CheckpointError(
                f"{spec.name} is a {kind!r} model, which can't be read. The architectures that "
                f"can be: {', '.join(sorted(HEADS))}."
            )
        self.spec = spec
        self.device = devices.device(device)
        self.dtype = devices.precision(dtype, self.device)
        # Now, because a pool's threads change the number that later threads find.
        self._cores = torch.get_num_threads() if self.device.type == "cpu" else 1
        self.model = model.eval().to(self.device, torch.float32)
        self.head = HEADS[kind](self.model)
        self.tokenizer = tokenizer
        self.max_length = _max_length(model.config, tokenizer)
        self._prompts = PromptBuilder(tokenizer, spec.method, self.max_length)
        self._reader = AnswerReader(tokenizer)
        self._type_ids = "token_type_ids" in tokenizer.model_input_names and (
            "token_type_ids" in inspect.signature(self.head.backbone.forward).parameters
        )

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str = BUNDLED.name,
        revision: str | None = None,
        device: str = "auto",
        dtype: DType = "auto",
    ) -> Self:
        """Loads a checkpoint.

        Args:
            name_or_path: A name of the registry (default: the bundled checkpoint), a local
                folder, or ``owner/name`` on the Hugging Face Hub.
            revision: Branch, tag or commit on the hub.
            device: See `InBedder`.
            dtype: See `InBedder`.

        Returns:
            The encoder. Only safetensors are read, and no code from the hub is run.

        Raises:
            CheckpointError: Unknown, unreachable, or not a masked language model that we read.
        """
        spec = resolve(name_or_path, revision)
        return cls(*load(spec), spec, device=device, dtype=dtype)

    @property
    def dim(self) -> int:
        """Number of dimensions d of an embedding."""
        config = self.model.config
        if self.spec.method == "card" and config.model_type in ("albert", "electra"):
            return int(config.embedding_size)
        return int(config.hidden_size)

    def __call__(
        self,
        texts: Sequence[str],
        instruction: str | Sequence[str],
        n_masks: int = 3,
        *,
        batch_tokens: int | None = None,
        top_k: int = 5,
        on_progress: OnProgress | None = None,
    ) -> Encoding:
        """Reads texts under an instruction: embeddings, answers and what was cut.

        Args:
            texts: n texts. Empty texts are allowed; equal texts get equal embeddings.
            instruction: One instruction for all, or one per text. "" asks nothing: the masks
                then say what the model makes of the text by itself.
            n_masks: Number of masks, 1 to 10; the published checkpoints use 3.
            batch_tokens: Largest number of tokens in one batch; changes speed only. None takes
                768, and 65,536 on a GPU.
            top_k: Number of answers per text, 0 to 20.
            on_progress: Called with (done, total) texts after each batch; may raise `Cancelled`.

        Returns:
            Embeddings (n, d) float32, with the card's method of mean 0 and unbiased standard
            deviation 1, so that their cosine is Pearson's correlation.

        Raises:
            InputError: Wrong number of instructions, masks or answers; an over-long instruction.
        """
        if batch_tokens is None:
            batch_tokens = GPU_BATCH_TOKENS if self.device.type == "cuda" else BATCH_TOKENS
        asked = _checked(texts, instruction, n_masks, batch_tokens, top_k)
        pairs = list(dict.fromkeys(zip(texts, asked, strict=True)))
        embeddings = np.zeros((len(pairs), self.dim), dtype=np.float32)
        answers: list[tuple[Answer, ...]] = [()] * len(pairs)
        prompts = self._prompts.build([t for t, _ in pairs], [i for _, i in pairs], n_masks)
        order: list[int] = []  # of the prompts, as they are read
        expected: list[Tensor] = []
        for batch, vectors, answer in self._forwards(prompts, n_masks, batch_tokens):
            embeddings[batch] = vectors
            order += batch
            if top_k:
                expected.append(answer)
            if on_progress is not None:
                on_progress(len(order), len(pairs))
        read = iter(order)
        for chunk in torch.split(torch.cat(expected), DECODED) if expected else ():
            for ids, probabilities in self._decode(chunk):
                i = next(read)
                answers[i] = self._reader.read(ids, probabilities, prompts[i].text_ids, top_k)
            if on_progress is not None:  # nothing new, but it may cancel
                on_progress(len(pairs), len(pairs))
        row = {pair: i for i, pair in enumerate(pairs)}
        rows = [row[pair] for pair in zip(texts, asked, strict=True)]
        return Encoding(
            embeddings=embeddings[rows],
            answers=tuple(answers[i] for i in rows),
            truncated=np.array([prompts[i].truncated for i in rows], dtype=bool),
        )

    def encode(
        self,
        texts: Sequence[str],
        instruction: str | Sequence[str],
        n_masks: int = 3,
        *,
        batch_tokens: int | None = None,
        normalize: bool = False,
        show_progress: bool = False,
    ) -> FloatArray:
        """Embeds texts under an instruction.

        Args:
            texts: n texts.
            instruction: One instruction for all, or one per text.
            n_masks: Number of masks, 1 to 10.
            batch_tokens: See `__call__`.
            normalize: Scale every embedding to unit length.
            show_progress: Show a progress bar in the terminal.

        Returns:
            (n, d) float32; a vector without variance is all zeros, never NaN.

        Raises:
            InputError: See `__call__`.
        """
        from tqdm import tqdm

        with tqdm(total=len(texts), unit="text", disable=not show_progress) as bar:

            def on_progress(done: int, total: int) -> None:
                bar.total = total  # equal texts are read once
                bar.update(done - bar.n)

            embeddings = self(
                texts,
                instruction,
                n_masks,
                batch_tokens=batch_tokens,
                top_k=0,
                on_progress=on_progress,
            ).embeddings
        return unit_vectors(embeddings) if normalize else embeddings

    def answers(
        self,
        texts: Sequence[str],
        instruction: str | Sequence[str],
        n_masks: int = 3,
        top_k: int = 5,
    ) -> list[list[tuple[str, float]]]:
        """The words that the model expects at the masks.

        Args:
            texts: n texts.
            instruction: One instruction for all, or one per text.
            n_masks: Number of masks, 1 to 10.
            top_k: Number of answers per text, 1 to 20.

        Returns:
            For every text up to ``top_k`` pairs of a word and its probability in [0, 1].

        Raises:
            InputError: See `__call__`.
        """
        encoding = self(texts, instruction, n_masks, top_k=top_k)
        return [[(a.text, a.probability) for a in row] for row in encoding.answers]

    def inputs(
        self, prompts: Sequence[Prompt], n_masks: int
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """What the transformer reads, on its device.

        Args:
            prompts: b prompts with ``n_masks`` masks each.
            n_masks: Number of masks.

        Returns:
            The model's inputs (b, t) by name; the rows (b, 1) and positions (b, n_masks) of the
            masks.
        """
        arrays = padded(prompts, self.tokenizer.pad_token_id or 0)
        first = torch.tensor([prompt.first_mask for prompt in prompts], device=self.device)
        rows = torch.arange(len(prompts), device=self.device)[:, None]  # (b, 1)
        masks = first[:, None] + torch.arange(n_masks, device=self.device)  # (b, n_masks)
        inputs = {}
        for name, array in arrays.items():
            if name != "token_type_ids" or self._type_ids:
                tensor = torch.from_numpy(array)
                if self.device.type == "cuda":  # from pinned memory, copies don't wait
                    tensor = tensor.pin_memory()
                inputs[name] = tensor.to(self.device, non_blocking=True)
        return inputs, rows, masks

    @cached_property
    def _states(self) -> States:
        """The transformer, ready for inference. Later changes of the weights don't reach it."""
        with torch.inference_mode():
            return states_at_masks(self.head.backbone, self.dtype)

    def _forwards(
        self, prompts: Sequence[Prompt], n_masks: int, batch_tokens: int
    ) -> Iterator[tuple[list[int], FloatArray, Tensor]]:
        """Batches of prompts, as indices, with what `_forward` makes of them.

        On a processor, batches are computed side by side with a share of the cores each. That is
        faster than one after the other: the many small steps between the products run in
        parallel too.
        """
        todo = list(batches(prompts, batch_tokens))
        n_threads = max(1, min(self._cores, len(todo)))
        _ = self._states  # made here, not in several threads at once

        def forward(batch: list[int]) -> tuple[list[int], FloatArray, Tensor]:
            return batch, *self._forward([prompts[i] for i in batch], n_masks)

        if n_threads == 1:
            yield from map(forward, todo)
            return
        callers = torch.get_num_threads()
        pool = ThreadPoolExecutor(
            n_threads, "encoder", torch.set_num_threads, (self._cores // n_threads,)
        )
        try:
            yield from pool.map(forward, todo)
        finally:  # reached too if nobody wants the rest
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(callers)  # else every new thread takes the pool's number

    @torch.inference_mode()
    def _forward(self, prompts: Sequence[Prompt], n_masks: int) -> tuple[FloatArray, Tensor]:
        """One batch of b prompts -> embeddings (b, d), and the answers (b, e) to be decoded."""
        states = self._states(*self.inputs(prompts, n_masks)).float()  # (b, n_masks, h)
        answer = self.head.transform(states).mean(1)  # (b, e)
        embedding = _standardize(answer) if self.spec.method == "card" else states.mean(1)
        return embedding.cpu().numpy(), answer

    @torch.inference_mode()
    def _decode(self, answers: Tensor) -> list[tuple[list[int], list[float]]]:
        """Answers (b, e) -> each one's most probable tokens and their probabilities."""
        top = self.head.decode(answers).softmax(-1).topk(min(CANDIDATES, self._vocabulary))
        return list(zip(top.indices.tolist(), top.values.tolist(), strict=True))

    @property
    def _vocabulary(self) -> int:
        return int(self.model.config.vocab_size)


@cache
def default_encoder() -> InBedder:
    """The bundled checkpoint, loaded once per process."""
    return InBedder.from_pretrained()


def _standardize(vectors: Tensor) -> Tensor:
    """(b, d) -> (b, d) of mean 0 and unbiased standard deviation 1; constant vectors become 0."""
    centered = vectors - vectors.mean(1, keepdim=True)
    deviation = vectors.std(1, keepdim=True)
    return torch.where(deviation > 1e-12, centered / deviation, 0.0)


def _checked(
    texts: Sequence[str],
    instruction: str | Sequence[str],
    n_masks: int,
    batch_tokens: int,
    top_k: int,
) -> list[str]:
    """One instruction per text, or a sentence that says what is wrong."""
    if isinstance(texts, str):
        raise InputError('Texts must be a list, not one string. For one text write ["…"].')
    asked = [instruction] * len(texts) if isinstance(instruction, str) else list(instruction)
    if len(asked) != len(texts):
        raise InputError(
            f"There are {len(asked)} instructions for {len(texts)} texts. Give one instruction "
            "for all texts, or exactly one per text."
        )
    if not all(isinstance(item, str) for item in (*texts, *asked)):
        raise InputError("Every text and every instruction must be a string.")
    for name, value, low, high in (
        ("masks", n_masks, 1, MAX_MASKS),
        ("answers", top_k, 0, 20),
        ("tokens in a batch", batch_tokens, 1, 10_000_000),
    ):
        if not low <= value <= high:
            raise InputError(f"The number of {name} must be from {low} to {high}, not {value}.")
    return asked


def _max_length(config: Any, tokenizer: Any) -> int:
    """Largest number of tokens: what both the tokenizer and the position embeddings allow."""
    positions = int(getattr(config, "max_position_embeddings", 512))
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2  # their first positions are kept for padding
    return min(positions, int(tokenizer.model_max_length))
