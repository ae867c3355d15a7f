"""The batches of a training run: records of files, sentences of our own, and labelled texts.

A batch is a few blocks. A block comes from one source, so that its texts are alike and only
listening to the question tells them apart, and a text comes with two questions where it has two.
The batch of a step depends on the seed and the step alone: a resumed run sees what an
uninterrupted one would have seen.
"""

import gzip
import json
import random
import string
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from inbedder_core.errors import InputError
from inbedder_core.recipes import sentences
from inbedder_core.recipes.labels import Collection
from inbedder_core.recipes.sentences import OFFERED, Example, offering

BLOCK_TEXTS = 16  # texts of one source in a block; each is asked two questions where it can be
BLOCK_VALUES = 5  # values of a facet in a block of our own sentences
MAX_ANSWER_WORDS = 6
MAX_QUESTION_WORDS = 30
MOST_CHOICES = 160  # answers of a question that may offer some of them
SHARING = 0.5  # share of the blocks of a source whose texts share a few answers, where it can be
FEWEST_TEXTS = 4  # of an answer that such blocks ask for
JOINED = 0.15  # share of blocks whose texts are joined from two sources
JOINED_WORDS = 20  # longest text that is joined with another one
ROUGH = 0.35  # share of our own sentences that look hastily typed
_PRONOUNS = frozenset(
    [
        "i",
        "you",
        "he",
        "she",
        "it",
        "we",
        "they",
        "me",
        "him",
        "her",
        "us",
        "them",
        "this",
        "that",
        "these",
        "those",
    ]
)
_FRAMES = ("In this text: {}", "Question: {}", "Please answer: {}", "{} Answer:", "Tell me: {}")


class Source:
    """The records of one file, grouped by text."""

    def __init__(self, name: str, examples: Sequence[Example]) -> None:
        """Groups examples by their text."""
        self.name = name
        self.questions = frozenset(example.question for example in examples)
        by_text: dict[str, list[Example]] = defaultdict(list)
        for example in examples:
            by_text[example.text].append(example)
        self.groups = list(by_text.values())
        answers: dict[str, set[str]] = defaultdict(set)
        for example in examples:
            answers[example.question].add(example.answer)
        # Questions with a closed list of answers: many texts, few answers.
        asked = Counter(example.question for example in examples)
        self.choices = {
            question: sorted(found)
            for question, found in answers.items()
            if 2 <= len(found) <= MOST_CHOICES and asked[question] >= 8 * len(found)
        }
        self.closed = self._closed()
        self.short = [g for g in self.groups if len(g[0].text.split()) <= JOINED_WORDS]
        self.size = len(examples)

    def draw(self, rng: random.Random, *, short: bool = False) -> list[Example]:
        """One text with one question or two different ones."""
        group = rng.choice(self.short if short else self.groups)
        chosen = rng.sample(group, min(2, len(group)))
        if len({example.question for example in chosen}) == 1:
            chosen = chosen[:1]
        return [self._asked(example, rng) for example in chosen]

    def _closed(self) -> list[dict[str, list[list[Example]]]]:
        """The closed questions, those with alike answers as one: their answers' texts."""
        facets: list[tuple[set[str], set[str]]] = []  # questions, answers
        for question, choices in self.choices.items():
            for questions, answers in facets:
                if 2 * len(answers & {*choices}) >= min(len(answers), len(choices)):
                    questions.add(question)
                    answers.update(choices)
                    break
            else:
                facets.append(({question}, {*choices}))
        closed = []
        for questions, _ in facets:
            by_answer: dict[str, list[list[Example]]] = defaultdict(list)
            for group in self.groups:
                for answer in {e.answer for e in group if e.question in questions}:
                    by_answer[answer].append(group)
            kept = {key: texts for key, texts in by_answer.items() if len(texts) >= FEWEST_TEXTS}
            if len(kept) > 1:
                closed.append(kept)
        return closed

    def sharing(self, rng: random.Random) -> list[Example]:
        """Texts that share a few answers to one closed question; each has another, if it can.

        Where texts are drawn at random, few of them share an answer, and nothing but the answer
        sets a text apart from those beside it.
        """
        by_answer = rng.choice(self.closed)
        values = rng.sample(sorted(by_answer), min(BLOCK_VALUES, len(by_answer)))
        block = []
        for _ in range(BLOCK_TEXTS):
            group = rng.choice(by_answer[rng.choice(values)])
            inside = [each for each in group if each.answer in by_answer]
            outside = [each for each in group if each.answer not in by_answer]
            chosen = [
                rng.choice(inside)._replace(facet="shared"),
                *rng.sample(outside, min(1, len(outside))),
            ]
            block += [self._asked(example, rng) for example in chosen]
        return block

    def _asked(self, example: Example, rng: random.Random) -> Example:
        """Now and then, a question with a closed list of answers offers some of them."""
        choices = self.choices.get(example.question)
        if choices is None or rng.random() >= OFFERED:
            return example
        question = offering(example.question, example.answer, choices, rng)
        return example._replace(question=question)


class Mixture:
    """Batches of examples, a function of a seed and a step."""

    def __init__(
        self,
        sources: Sequence[Source],
        grammars: Sequence[str],
        own_share: float,
        seed: int,
        collections: Sequence[Collection] = (),
        label_share: float = 0.0,
    ) -> None:
        """Prepares the sources.

        Args:
            sources: The files; each is drawn from in proportion to the root of its size.
            grammars: Names of the grammars.
            own_share: Share of blocks written from the grammars, 0 to 1.
            seed: Seed of all choices.
            collections: Labelled texts; each is drawn from in proportion to its number of texts.
            label_share: Share of blocks of labelled texts, 0 to 1.

        Raises:
            InputError: There is nothing to draw from.
        """
        if not sources and not (grammars and own_share):
            raise InputError("There is nothing to train on: name a --data file, or grammars.")
        self.sources = list(sources)
        self.weights = [source.size**0.5 for source in sources]
        self.grammars = [sentences.grammar(name) for name in grammars]
        # A world that says things in more ways has more to teach.
        self.grammar_weights = [grammar.n_ways for grammar in self.grammars]
        self.collections = [each for each in collections if each.by_answer]
        self.collection_weights = [len(each.texts) for each in self.collections]
        self.label_share = label_share if self.collections else 0.0
        self.own_share = own_share if sources else 1.0 - self.label_share
        self.seed = seed

    def batch(self, step: int, size: int) -> list[Example]:
        """The examples of a step, ``size`` of them."""
        rng = random.Random(f"{self.seed}/{step}")
        examples: list[Example] = []
        while len(examples) < size:
            block = len(examples)  # the same facet of another block is another question
            examples += [
                each._replace(facet=each.facet and f"{each.facet} {block}")
                for each in self._block(rng)
            ]
        return [
            example._replace(question=rephrased(example.question, rng))
            for example in examples[:size]
        ]

    def answers(self) -> list[str]:
        """Every answer that a batch can hold, in alphabetical order."""
        found = {"yes", "no"}
        for source in self.sources:
            found.update(example.answer for group in source.groups for example in group)
        for grammar in self.grammars:
            for facet, values in grammar.values.items():
                found.update(values, grammar.facets[facet].of.values())
        return sorted(found.union(*(each.answers() for each in self.collections)))

    def _block(self, rng: random.Random) -> list[Example]:
        kind = rng.random()
        if kind < self.own_share:
            grammar = rng.choices(self.grammars, self.grammar_weights)[0]
            block = grammar.crossing(rng, BLOCK_TEXTS, BLOCK_VALUES)
            rough = {example.text: roughened(example.text, rng) for example in block}
            return [example._replace(text=rough[example.text]) for example in block]
        if kind < self.own_share + self.label_share:
            collection = rng.choices(self.collections, self.collection_weights)[0]
            return collection.crossing(rng, BLOCK_TEXTS, BLOCK_VALUES)
        if rng.random() < JOINED:
            return self._joined(rng)
        source = rng.choices(self.sources, self.weights)[0]
        if source.closed and rng.random() < SHARING:
            return source.sharing(rng)
        return [example for _ in range(BLOCK_TEXTS) for example in source.draw(rng)]

    def _joined(self, rng: random.Random) -> list[Example]:
        """Texts joined from two sources, whose questions tell which half they ask for."""
        one, two = (rng.choices(self.sources, self.weights)[0] for _ in range(2))
        if one is two or one.questions & two.questions or not (one.short and two.short):
            return []
        halves = [[s.draw(rng, short=True)[0] for _ in range(4)] for s in (one, two)]
        block = []
        for _ in range(BLOCK_TEXTS):
            first, second = (rng.choice(half) for half in halves)
            parts = [first.text, second.text]
            rng.shuffle(parts)
            text = " ".join(parts)
            block += [first._replace(text=text), second._replace(text=text)]
        return block


def roughened(text: str, rng: random.Random) -> str:
    """The same text, now and then as people type it where nobody corrects them."""
    if not text or rng.random() >= ROUGH:
        return text
    words = text.split()
    for way in rng.sample(("case", "end", "tag", "link", "typo"), 2):
        at = rng.randrange(len(words))
        match way:
            case "case":
                words = [word.lower() for word in words]
            case "end":
                words[-1] = words[-1].rstrip(".!?") + rng.choice(("", "", "!!", "...", " :)"))
            case "tag":
                words[at] = f"#{words[at]}" if words[at].isalpha() else words[at]
            case "link":
                words.append("http://t.co/" + "".join(rng.choices(string.ascii_letters, k=8)))
            case "typo" if len(words[at]) > 4:
                i = rng.randrange(1, len(words[at]) - 2)
                words[at] = words[at][:i] + words[at][i + 1] + words[at][i] + words[at][i + 2 :]
    return " ".join(words)


def rephrased(question: str, rng: random.Random) -> str:
    """The same question, now and then without its mark or inside a frame."""
    if rng.random() < 0.2:
        question = question.rstrip("?.")
    if rng.random() < 0.1:
        question = rng.choice(_FRAMES).format(question)
    return question


def read(path: Path) -> Source:
    """Reads records ``{"text", "question", "answer"}`` from a .jsonl or .jsonl.gz file.

    Raises:
        InputError: Not such a file.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            examples = list(_usable(json.loads(line) for line in lines if line.strip()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} can't be read as training data ({type(error).__name__}: {error}). Each line "
            'must be a JSON object with "text", "question" and "answer".'
        ) from error
    if not examples:
        raise InputError(f"{path} holds no usable record.")
    return Source(path.name.partition(".")[0], examples)


def from_hub(name: str) -> Source:
    """Reads a question-answer data set of the Hugging Face Hub, such as the released one.

    Raises:
        InputError: ``datasets`` is not installed, or the data set can't be read.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise InputError(
            f"{name} is not a file here. To read data sets of the hub, install `datasets`."
        ) from error
    try:
        rows = load_dataset(name, split="train")
        return Source(name, list(_usable(_released(row) for row in rows)))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"The data set {name} can't be read: {error}") from error


def _released(row: dict[str, str]) -> dict[str, str]:
    """A row of KomeijiForce/Inbedder-Pretrain-Data (input, instruction, output) as a record."""
    return {
        "text": row.get("input") or row["text"],
        "question": row.get("instruction") or row["question"],
        "answer": row.get("output") or row["answer"],
    }


def _usable(records: Iterator[dict[str, str]]) -> Iterator[Example]:
    for record in records:
        example = Example(record["text"], record["question"].strip(), record["answer"].strip())
        words = example.answer.lower().split()
        if (
            words
            and len(words) <= MAX_ANSWER_WORDS
            and not (len(words) == 1 and words[0] in _PRONOUNS)
            and len(example.question.split()) <= MAX_QUESTION_WORDS
            and example.text.strip()
        ):
            yield example._replace(answer=example.answer.rstrip("."))
