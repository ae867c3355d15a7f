"""Text + instruction + masks -> token ids, in the two published ways.

* ``card``: the pair ``text`` / ``instruction<mask><mask><mask>``, as on the model card of
  ``KomeijiForce/inbedder-roberta-large``.
* ``repository``: one sequence, ``### Input: … ### Instruction: … ### Response:<mask><mask><mask>``,
  as in the authors' repository.

Three rules hold in both. Only the text is ever cut, at its end; the instruction and the masks
always survive. The masks are placed by id, so a text or an instruction that contains ``<mask>``,
``[SEP]`` or another special token is read as plain text. White space around an instruction means
nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inbedder_core.errors import CheckpointError, InputError
from inbedder_core.schema import Method

_BEFORE, _BETWEEN, _AFTER = "### Input:\n", "\n\n### Instruction:\n", "\n\n### Response:"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of one text under one instruction.

    Attributes:
        input_ids: All tokens, at most the model's maximum.
        token_type_ids: 0 for the first segment and 1 for the second, where the tokenizer says so.
        first_mask: Position of the first mask; the others follow it.
        text_ids: The tokens of the text that were kept.
        truncated: Whether the end of the text was cut.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    first_mask: int
    text_ids: list[int]
    truncated: bool


class PromptBuilder:
    """Builds prompts for one tokenizer and one of the two methods."""

    def __init__(self, tokenizer: Any, method: Method, max_length: int) -> None:
        """Prepares a private copy of the tokenizer's fast backend.

        Args:
            tokenizer: A Hugging Face tokenizer with a fast backend and a mask token.
            method: Which published method to follow.
            max_length: The largest number of tokens that the model reads.

        Raises:
            CheckpointError: The tokenizer has no fast backend or no mask token.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None or tokenizer.mask_token_id is None:
            raise CheckpointError(
                f"The tokenizer {type(tokenizer).__name__} can't be used: it needs a fast backend "
                "and a mask token. Choose a masked language model such as RoBERTa or BERT."
            )
        self.backend = type(backend).from_str(backend.to_str())
        self.backend.no_truncation()
        self.backend.no_padding()
        self.mask_id = int(tokenizer.mask_token_id)
        self.method: Method = method
        self.max_length = max_length
        self._frame()
        self.backend.encode_special_tokens = True  # "<mask>" in a text is six characters, no mask
        # Unigram vocabularies hold the special tokens as ordinary pieces and still find them.
        self.spelled = {
            token_id: self.backend.encode(f"{token[0]} {token[1:]}", add_special_tokens=False).ids
            for token, token_id in zip(
                tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True
            )
            if token_id != tokenizer.unk_token_id
        }

    def _frame(self) -> None:
        """Learns which special tokens stand before, between and after the segments."""
        pair = ("a", "a") if self.method == "card" else ("a",)
        encoding = self.backend.encode(*pair)
        segments: list[list[int]] = [[]]
        types: list[int] = []
        last = None
        for token, type_id, segment in zip(
            encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True
        ):
            if segment is None:
                segments[-1].append(token)
            elif segment != last:
                segments.append([])
                types.append(type_id)
            last = segment
        self.specials = segments  # card: before, between, after; repository: before, after
        self.types = types

    def build(
        self, texts: Sequence[str], instructions: Sequence[str], n_masks: int
    ) -> list[Prompt]:
        """Builds one prompt per text.

        Args:
            texts: n texts; empty ones are allowed.
            instructions: n instructions; empty ones are allowed.
            n_masks: Number of masks.

        Returns:
            n prompts.

        Raises:
            InputError: An instruction is so long that no room is left for a text.
        """
        instructions = [instruction.strip() for instruction in instructions]
        if self.method == "card":
            return self._pairs(texts, instructions, n_masks)
        return [
            self._sequence(text, instruction, n_masks)
            for text, instruction in zip(texts, instructions, strict=True)
        ]

    def _room(self, taken: int, n_masks: int) -> int:
        """Tokens left for the text."""
        room = self.max_length - taken - n_masks - sum(map(len, self.specials))
        if room < 1:
            raise InputError(
                f"The instruction is too long: with {n_masks} masks it takes {taken + n_masks} of "
                f"the {self.max_length} tokens that this checkpoint reads, which leaves no room "
                "for a text. Please shorten it."
            )
        return room

    def _plain(self, encoding: Any) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and character offsets of a string, special tokens spelled out."""
        if self.spelled.keys().isdisjoint(encoding.ids):
            return encoding.ids, encoding.offsets
        tokens = [
            (plain, offset)
            for token, offset in zip(encoding.ids, encoding.offsets, strict=True)
            for plain in self.spelled.get(token, [token])
        ]
        return [token for token, _ in tokens], [offset for _, offset in tokens]

    def _pairs(
        self, texts: Sequence[str], instructions: Sequence[str], n_masks: int
    ) -> list[Prompt]:
        before, between, after = self.specials
        text_type, mask_type = self.types
        encoded = self.backend.encode_batch(list(texts), add_special_tokens=False)
        asked = {
            i: self._plain(self.backend.encode(i, add_special_tokens=False))[0]
            for i in set(instructions)
        }
        prompts = []
        for encoding, instruction in zip(encoded, instructions, strict=True):
            question, (whole, _) = asked[instruction], self._plain(encoding)
            text = whole[: self._room(len(question), n_masks)]
            head = [*before, *text, *between]
            tail = [*question, *[self.mask_id] * n_masks, *after]
            prompts.append(
                Prompt(
                    input_ids=head + tail,
                    token_type_ids=[text_type] * len(head) + [mask_type] * len(tail),
                    first_mask=len(head) + len(question),
                    text_ids=text,
                    truncated=len(text) < len(whole),
                )
            )
        return prompts

    def _sequence(self, text: str, instruction: str, n_masks: int) -> Prompt:
        before, after = self.specials
        # Encoded as one string: byte-pair merges may cross the borders of the pattern.
        encoding = self.backend.encode(
            f"{_BEFORE}{text}{_BETWEEN}{instruction}{_AFTER}", add_special_tokens=False
        )
        start, end = len(_BEFORE), len(_BEFORE) + len(text)
        ids, offsets = self._plain(encoding)
        inside = [i for i, (s, e) in enumerate(offsets) if s < end and e > start]
        room = self._room(len(ids) - len(inside), n_masks)
        text_ids, cut = [ids[i] for i in inside[:room]], set(inside[room:])
        ids = [token for i, token in enumerate(ids) if i not in cut]
        return Prompt(
            input_ids=[*before, *ids, *[self.mask_id] * n_masks, *after],
            token_type_ids=self.types * (len(before) + len(ids) + n_masks + len(after)),
            first_mask=len(before) + len(ids),
            text_ids=text_ids,
            truncated=bool(cut),
        )


def batches(prompts: Sequence[Prompt], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of prompts of similar length, the longest first, within a budget of padded tokens."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i].input_ids))
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // len(prompts[order[start]].input_ids))
        yield order[start : start + size]
        start += size


def padded(prompts: Sequence[Prompt], pad_id: int) -> dict[str, NDArray[np.int64]]:
    """Pads b prompts at their end to the longest, t tokens.

    Returns:
        ``input_ids``, ``attention_mask`` and ``token_type_ids``, (b, t) each.
    """
    length = max(len(prompt.input_ids) for prompt in prompts)
    ids = np.full((len(prompts), length), pad_id, dtype=np.int64)
    attention, types = np.zeros_like(ids), np.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        size = len(prompt.input_ids)
        ids[row, :size] = prompt.input_ids
        attention[row, :size] = 1
        types[row, :size] = prompt.token_type_ids
    return {"input_ids": ids, "attention_mask": attention, "token_type_ids": types}
