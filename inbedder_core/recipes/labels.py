"""Texts that a reader labelled: prose of many hands, under questions that grammars are poor at.

``labelled/NAME.toml`` holds the facets of a collection with their wordings, ``labelled/NAME.tsv`` a
line per text: its answer to each facet ("-" where it has none) and up to two questions of its own.
Where the text is ours, the line begins with it; where it belongs to a training source, the line
begins with its `digest`, and the text itself comes from the source.
"""

import hashlib
import random
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from inbedder_core.recipes.sentences import OFFERED, Example, offering

LABELS = Path(__file__).with_name("labelled")
NO_ANSWER = "-"
FEWEST_TEXTS = 4  # of an answer that a block's texts can share
OWN = 0.25  # share of blocks whose second question is each text's own
_DIGEST = "sha256:"


class Labelled(NamedTuple):
    """A text, its answers by facet, and questions that were written for it alone."""

    text: str
    answers: dict[str, str]
    own: tuple[tuple[str, str], ...] = ()


class Collection:
    """Texts under the same facets."""

    def __init__(self, asks: Mapping[str, Sequence[str]], texts: Sequence[Labelled]) -> None:
        """Groups texts by their answers.

        Args:
            asks: Facet -> wordings of its question.
            texts: The texts, each with answers to some of the facets.
        """
        self.asks, self.texts = asks, list(texts)
        by_answer: dict[str, dict[str, list[Labelled]]] = {}
        for facet in asks:
            found: dict[str, list[Labelled]] = defaultdict(list)
            for text in self.texts:
                if facet in text.answers:
                    found[text.answers[facet]].append(text)
            shared = {value: each for value, each in found.items() if len(each) >= FEWEST_TEXTS}
            if len(shared) > 1:
                by_answer[facet] = shared
        self.by_answer = by_answer

    def answers(self) -> set[str]:
        """Every answer."""
        given = {value for text in self.texts for value in text.answers.values()}
        return given | {answer for text in self.texts for _, answer in text.own}

    def crossing(self, rng: random.Random, n_texts: int, n_values: int) -> list[Example]:
        """Texts that share a few answers to one facet, each asked for that and another one.

        Args:
            rng: Source of chance.
            n_texts: Number of texts.
            n_values: How many answers of the first facet take part, at most.

        Returns:
            At most 2 · n_texts examples, both questions about a text side by side.
        """
        one = rng.choice(sorted(self.by_answer))
        two = rng.choice([facet for facet in self.asks if facet != one])
        by_answer = self.by_answer[one]
        values = rng.sample(sorted(by_answer), min(n_values, len(by_answer)))
        own = rng.random() < OWN
        examples = []
        for _ in range(n_texts):
            text = rng.choice(by_answer[rng.choice(values)])
            examples.append(self._ask(text, one, rng))
            if two in text.answers and not (own and text.own):
                examples.append(self._ask(text, two, rng))
            elif text.own:
                examples.append(Example(text.text, *rng.choice(text.own)))
        return examples

    def _ask(self, text: Labelled, facet: str, rng: random.Random) -> Example:
        question, answer = rng.choice(self.asks[facet]), text.answers[facet]
        if facet in self.by_answer and rng.random() < OFFERED:
            question = offering(question, answer, sorted(self.by_answer[facet]), rng)
        return Example(text.text, question, answer, facet)


def digest(text: str) -> str:
    """What stands for a text that is not ours."""
    return _DIGEST + hashlib.sha256(text.encode()).hexdigest()[:12]


def collections(texts: Iterable[str]) -> list[Collection]:
    """All collections, with those of their texts that are ours or among the given ones.

    Args:
        texts: The texts of the training sources.
    """
    by_digest = {digest(text): text for text in texts}
    found = []
    for path in sorted(LABELS.glob("*.toml")):
        asks: dict[str, list[str]] = tomllib.loads(path.read_text(encoding="utf-8"))["facets"]
        lines = path.with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
        labelled = []
        for line in lines:
            first, *rest = line.split("\t")
            text = by_digest.get(first, "") if first.startswith(_DIGEST) else first
            given = dict(zip(asks, rest, strict=False))
            answers = {facet: value for facet, value in given.items() if value != NO_ANSWER}
            pairs = [pair.split(" = ") for pair in rest[len(asks) :]]
            if text:
                own = tuple((question, answer) for question, answer in pairs)
                labelled.append(Labelled(text, answers, own))
        if labelled:
            found.append(Collection(asks, labelled))
    return found
