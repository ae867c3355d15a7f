"""The model's words: from probabilities of vocabulary tokens to words a person would read.

The language-model head answers in sub-word pieces. Pieces that stand side by side in the text
("su" + "##shi", "new" + "york") are read as the text's own word; the other pieces count only if
they can start a word; case is ignored when the same word comes twice. Articles,
conjunctions and single Latin letters are no answer.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from inbedder_core.schema import Answer

CANDIDATES = 50
"""Number of most probable tokens that answers are made of."""

_NOTICEABLE = 0.02
_TOGETHER = 0.6
"""Neighbouring words are a phrase if the smaller probability is this share of the larger."""


_FILLERS = frozenset({"a", "an", "the", "and", "or", "but"})


class AnswerReader:
    """Turns the most probable tokens into readable answers, for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        """Learns how the vocabulary marks the start of a word.

        Args:
            tokenizer: A Hugging Face tokenizer with a fast backend.
        """
        self.backend = tokenizer.backend_tokenizer
        vocabulary: Mapping[str, int] = self.backend.get_vocab()
        self.special = set(tokenizer.all_special_ids)
        self.pieces = {token_id: piece for piece, token_id in vocabulary.items()}
        self.space = next(
            (mark for mark in "Ġ▁" if any(piece.startswith(mark) for piece in vocabulary)), ""
        )
        self.vocabulary = vocabulary
        self._alone: dict[int, str] = {}  # what was found out about tokens by themselves

    def read(
        self,
        token_ids: Sequence[int],
        probabilities: Sequence[float],
        text_ids: Sequence[int] = (),
        top_k: int = 5,
    ) -> tuple[Answer, ...]:
        """Reads one text's answers.

        Args:
            token_ids: The most probable tokens at the masks, the most probable first.
            probabilities: Their probabilities, in [0, 1].
            text_ids: The tokens of the text that was asked about.
            top_k: Largest number of answers.

        Returns:
            At most ``top_k`` different answers, the most probable first.
        """
        probability = {
            token: float(p)
            for token, p in zip(token_ids, probabilities, strict=True)
            if token not in self.special
        }
        words: defaultdict[str, float] = defaultdict(float)
        spelling: dict[str, str] = {}
        taken: set[int] = set()
        for span in self._phrases(text_ids, probability):
            fresh = set(span) - taken
            taken |= fresh
            together = sum(probability.get(token, 0) for token in fresh)
            self._add(words, spelling, _answer(self.backend.decode(span)), together)
        for token, p in probability.items():
            if token not in taken:
                self._add(words, spelling, self._word(token), p)
        ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Answer(spelling[key], p) for key, p in ranked[:top_k])

    @staticmethod
    def _add(
        words: defaultdict[str, float], spelling: dict[str, str], word: str, probability: float
    ) -> None:
        if word:
            words[word.casefold()] += probability
            spelling.setdefault(word.casefold(), word)

    def _starts_word(self, token: int) -> bool:
        piece = self.pieces[token]
        return piece.startswith(self.space) if self.space else not piece.startswith("##")

    def _word(self, token: int) -> str:
        """The answer that a token is by itself; "" if it is none."""
        if token not in self._alone:
            readable = self._readable(token)
            self._alone[token] = _answer(self.backend.decode([token])) if readable else ""
        return self._alone[token]

    def _readable(self, token: int) -> bool:
        """Whether a token can be a word of its own: it starts one, or its twin does."""
        piece = self.pieces.get(token, "")
        if piece.startswith("[unused") or not piece:
            return False
        return self._starts_word(token) or (
            bool(self.space) and self.space + piece in self.vocabulary
        )

    def _phrases(
        self, text_ids: Sequence[int], probability: Mapping[int, float]
    ) -> list[list[int]]:
        """Words and phrases of the text that the answer's pieces make up, longest first."""
        found: list[list[int]] = []
        previous = 0.0
        for word in self._words(text_ids):
            best = max(probability.get(token, 0.0) for token in word)
            if best < _NOTICEABLE or not _says_something(self.backend.decode(word).strip()):
                previous = 0.0
                continue
            if min(best, previous) >= _TOGETHER * max(best, previous):
                found[-1] = found[-1] + word
            else:
                found.append(list(word))
            previous = best
        return sorted((span for span in found if len(span) > 1), key=len, reverse=True)

    def _words(self, text_ids: Sequence[int]) -> list[list[int]]:
        words: list[list[int]] = []
        for token in text_ids:
            if words and not self._starts_word(token):
                words[-1].append(token)
            else:
                words.append([token])
        return words


def _answer(decoded: str) -> str:
    """The word or phrase with single spaces; "" if it can be no answer."""
    word = " ".join(decoded.split())
    return word if _says_something(word) else ""


def _says_something(word: str) -> bool:
    """Whether a word can be an answer: a number, or letters that are more than "s" or "the"."""
    letters = [character for character in word if character.isalnum()]
    if len(letters) == 1:
        return not (letters[0].isascii() and letters[0].isalpha())
    return bool(letters) and word.casefold() not in _FILLERS
