"""Writes training sentences of our own from the grammars in ``grammars/``: no licence, no limit.

A grammar (TOML) is a small world: **facets** with their values and the ways to say each value,
**words** that carry no label, and **sentences** with slots for both. One text then has many facets
at once, and every facet can be asked for. What teaches a model to listen are the contrasts: the
same text under different questions, and texts that differ in one facet only. `crossing` writes
both at once: texts that cross the values of one facet with those of another.

Look at samples with ``python -m inbedder_core.recipes.sentences --grammar NAME``; how to write a
grammar stands in ``grammars/README.md``.
"""

import argparse
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

GRAMMARS = Path(__file__).with_name("grammars")
CHECKED = 0.15  # share of yes/no questions, where a facet has them
OFFERED = 0.08  # share of questions that offer a choice of answers
DEFAULT = ""  # the form of an expression whose slot names none
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio](?!ne\b|nce\b|uro)|un(?!i)|u[mpglr]|hour|honest)")
_SLOT = re.compile(r"\{([a-z_]+)(?:\.([a-z_]+))?\}")


class Example(NamedTuple):
    """A text, a question about it, and the answer.

    Examples of a batch with the same ``facet`` asked for the same thing; "" stands for unknown.
    """

    text: str
    question: str
    answer: str
    facet: str = ""


@dataclass(frozen=True)
class Facet:
    """Something that can be asked about a text.

    Attributes:
        ask: Wordings of the question.
        forms: Value -> form -> ways to say it; empty where whole sentences carry the value.
        check: Wordings of a yes/no question, "{}" standing for a value.
        source: The facet that decides this one's value, if any.
        of: Value of the source -> value of this facet.
    """

    ask: tuple[str, ...]
    forms: Mapping[str, Mapping[str, tuple[str, ...]]]
    check: tuple[str, ...] = ()
    source: str = ""
    of: Mapping[str, str] = field(default_factory=dict)


class Written(NamedTuple):
    """A text and the value of each facet that it carries."""

    text: str
    labels: dict[str, str]


class Grammar:
    """One small world of sentences; see the module."""

    def __init__(self, name: str, source: Mapping[str, Any]) -> None:
        """Reads a parsed TOML document.

        Args:
            name: Name of the grammar, for messages.
            source: Tables ``facets`` and ``words``, and the array of tables ``sentences``.

        Raises:
            ValueError: A slot, label or source that does not exist; a facet that is never said.
        """
        self.name = name
        self.facets = {key: _facet(value) for key, value in source["facets"].items()}
        self.words = {key: tuple(value) for key, value in source.get("words", {}).items()}
        self.sentences: list[tuple[str, dict[str, str]]] = [
            (template, {key: value for key, value in group.items() if key != "say"})
            for group in source["sentences"]
            for template in group["say"]
        ]
        self.values = {key: self._values(key) for key in self.facets}
        self._check()
        carried = {key for template, labels in self.sentences for key in _carried(template, labels)}
        derived = {key for key, facet in self.facets.items() if facet.source}
        self.inner = sorted(self.facets.keys() - carried - derived)  # said inside others' phrases

    @property
    def n_ways(self) -> int:
        """Number of templates, and of ways to say a value: how much there is to learn here."""
        said = (
            ways
            for facet in self.facets.values()
            for forms in facet.forms.values()
            for ways in forms.values()
        )
        return len(self.sentences) + sum(map(len, said))

    def _values(self, facet: str) -> tuple[str, ...]:
        """All values of a facet that sentences can carry."""
        said = dict.fromkeys(self.facets[facet].forms)
        labels = dict.fromkeys(labels[facet] for _, labels in self.sentences if facet in labels)
        return (*said, *(label for label in labels if label not in said))

    def _check(self) -> None:
        problems = []
        spoken = [template for template, _ in self.sentences]
        spoken += [text for words in self.words.values() for text in words]
        for facet in self.facets.values():
            spoken += [text for f in facet.forms.values() for say in f.values() for text in say]
        for text in spoken:
            for slot, form in _SLOT.findall(text):
                if slot in self.facets:
                    forms = self.facets[slot].forms
                    if not forms or any((form or DEFAULT) not in f for f in forms.values()):
                        problems.append(f"not every value of {slot!r} can be said in {text!r}")
                elif slot not in self.words or form:
                    problems.append(f"unknown slot {{{slot}}} in {text!r}")
            if rest := set("{}") & set(_SLOT.sub("", text)):
                problems.append(f"stray {rest} in {text!r}")
        for key, facet in self.facets.items():
            if not facet.ask:
                problems.append(f"facet {key!r} has no questions")
            if facet.source and facet.source not in self.facets:
                problems.append(f"facet {key!r} comes from the unknown {facet.source!r}")
            elif facet.source:
                unknown = set(self.values[facet.source]) - set(facet.of)
                if unknown:
                    problems.append(f"facet {key!r} says nothing about {sorted(unknown)}")
            elif not self.values[key]:
                problems.append(f"facet {key!r} has no values")
        for template, labels in self.sentences:
            if unknown := set(labels) - set(self.facets):
                problems.append(f"unknown facets {sorted(unknown)} label {template!r}")
        if problems:
            raise ValueError(f"grammar {self.name}: " + "; ".join(dict.fromkeys(problems)))

    def write(self, rng: random.Random, wanted: Mapping[str, str] | None = None) -> Written:
        """Writes one text.

        Args:
            rng: Source of chance.
            wanted: Values that the text must carry, by facet.

        Returns:
            The text with its labels.

        Raises:
            LookupError: No sentence can carry the wanted values.
        """
        wanted = dict(wanted or {})
        template, labels = rng.choice(self._sentences_for(wanted))
        chosen = {**wanted, **labels}
        carried = dict(labels)

        def fill(match: re.Match[str]) -> str:
            slot, form = match[1], match[2] or DEFAULT
            if slot in self.words:
                return _SLOT.sub(fill, rng.choice(self.words[slot]))
            value = chosen.setdefault(slot, rng.choice(tuple(self.facets[slot].forms)))
            carried[slot] = value
            return _SLOT.sub(fill, rng.choice(self.facets[slot].forms[value][form]))

        text = _tidied(_SLOT.sub(fill, template))
        for key, facet in self.facets.items():
            if facet.source in carried:
                carried[key] = facet.of[carried[facet.source]]
        return Written(text, {key: value for key, value in carried.items() if value})

    def _sentences_for(self, wanted: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
        """The sentences that carry the wanted values, in a label or a slot."""
        fitting = [
            (template, labels)
            for template, labels in self.sentences
            if all(
                labels.get(key) == value
                or (key not in labels and re.search(rf"\{{{key}[.}}]", template))
                for key, value in wanted.items()
            )
        ]
        if not fitting:
            raise LookupError(f"grammar {self.name}: no sentence carries {dict(wanted)}")
        return fitting

    def ask(self, written: Written, facet: str, rng: random.Random) -> Example:
        """Asks for one facet of a text; now and then with a choice, or as a yes/no question."""
        asked, value = self.facets[facet], written.labels[facet]
        if asked.check and rng.random() < CHECKED:
            values = sorted({*asked.of.values()} - {""} if asked.source else self.values[facet])
            guess = value if rng.random() < 0.5 else rng.choice(values)
            question = _tidied(rng.choice(asked.check).replace("{}", guess))
            return Example(written.text, question, "yes" if guess == value else "no")
        question = rng.choice(asked.ask)
        if not asked.source and rng.random() < OFFERED:
            question = offering(question, value, self.values[facet], rng)
        return Example(written.text, question, value, facet)

    def crossing(self, rng: random.Random, n_texts: int = 4, n_values: int = 2) -> list[Example]:
        """Texts that cross the values of two facets, each asked for both of them.

        Args:
            rng: Source of chance.
            n_texts: Number of texts.
            n_values: How many values of each of the two facets take part, at most.

        Returns:
            2 · n_texts examples, both questions about a text side by side. Where no sentence can
            carry a pair of values, a text of another pair takes its place.
        """
        one, two = self._two_facets(rng)
        values = [
            rng.sample(self.values[facet], min(n_values, len(self.values[facet])))
            for facet in (one, two)
        ]
        examples: list[Example] = []
        while len(examples) < 2 * n_texts:
            try:
                text = self.write(rng, {one: rng.choice(values[0]), two: rng.choice(values[1])})
            except LookupError:
                text = self.write(rng)
            # Instead of a facet, now and then one that is derived from it or said inside it.
            for facet in (one, two):
                heirs = [key for key, each in self.facets.items() if each.source == facet]
                inner = [key for key in self.inner if key in text.labels]
                asked = rng.choice([facet, *heirs, *inner])
                if asked not in text.labels:
                    asked = rng.choice(sorted(text.labels))
                examples.append(self.ask(text, asked, rng))
        return examples

    def _two_facets(self, rng: random.Random) -> tuple[str, str]:
        """Two facets that some sentence carries together."""
        while True:
            template, labels = rng.choice(self.sentences)
            found = _carried(template, labels) & self.facets.keys()
            carried = sorted(key for key in found if len(self.values[key]) > 1)
            if len(carried) > 1:
                one, two = rng.sample(carried, 2)
                return one, two


def _carried(template: str, labels: Mapping[str, str]) -> set[str]:
    """The labels and slots of a sentence."""
    return labels.keys() | {slot for slot, _ in _SLOT.findall(template)}


def offering(question: str, answer: str, values: Sequence[str], rng: random.Random) -> str:
    """The question with two to five answers to choose from, the right one among them."""
    others = [value for value in values if value != answer]
    options = [answer, *rng.sample(others, min(len(others), rng.randint(1, 4)))]
    rng.shuffle(options)
    choice = f"{', '.join(options[:-1])} or {options[-1]}?" if options[1:] else f"{answer}?"
    return rng.choice([f"{question.rstrip('?.:')}: {choice}", f"Is it {choice}", choice])


def _facet(source: Mapping[str, Any]) -> Facet:
    say = source.get("say", {})
    if isinstance(say, list):  # values that say themselves
        say = {value: [value] for value in say}
    forms = {
        value: {
            form: tuple(ways)
            for form, ways in (said if isinstance(said, dict) else {DEFAULT: said}).items()
        }
        for value, said in say.items()
    }
    return Facet(
        ask=tuple(source["ask"]),
        forms=forms,
        check=tuple(source.get("check", ())),
        source=source.get("from", ""),
        of=source.get("of", {}),
    )


def _tidied(text: str) -> str:
    """Single spaces, none before punctuation, "an" before vowels, capitals at sentence starts."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([,.;:!?]+)(?= |$)", r"\1", text)  # but " :)" keeps its space
    text = _ARTICLE.sub(r"\1n ", text)
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)


@cache
def grammar(name: str) -> Grammar:
    """Reads one of the grammars.

    Raises:
        ValueError: The grammar contradicts itself; the message lists every problem.
    """
    path = GRAMMARS / f"{name}.toml"
    return Grammar(name, tomllib.loads(path.read_text(encoding="utf-8")))


def names() -> list[str]:
    """The names of all grammars, in alphabetical order."""
    return sorted(path.stem for path in GRAMMARS.glob("*.toml"))


def main(argv: Sequence[str] | None = None) -> None:
    """Prints samples, to be read by a person."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--grammar", choices=names(), action="append", default=[])
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    rng = random.Random(args.seed)
    for _ in range(args.groups):
        last = ""
        for example in grammar(rng.choice(args.grammar or names())).crossing(rng):
            if example.text != last:
                print(f"\n{example.text}")
            print(f"    {example.question}  ->  {example.answer}")
            last = example.text


if __name__ == "__main__":
    main()
