"""The evaluation: what it reads, what it scores, what it prints, and what it says to mistakes."""

import gzip
import json
from importlib.util import find_spec

import numpy as np
import pytest
import tiny
from transformers import BertModel

from inbedder_core.recipes import paper
from inbedder_core.recipes.controls import (
    CONTROLS,
    IRRELEVANT,
    StaticEmbedder,
    no_instruction,
    own,
    remembered,
)
from inbedder_core.recipes.evaluate import evaluate, facets, main
from inbedder_core.recipes.facets import cross_scores, score_sets
from inbedder_core.recipes.suites import read_sets, sample_sets
from inbedder_core.samples import samples

ANIMALS, MOODS = ("cat", "dog", "horse"), ("love", "hate")
ASKS = {"animal": ["What animal is it?", "the animal"], "mood": ["How do you feel?", "the mood"]}
TEXTS = [
    f"I {mood} my {animal} number {i}." for i in range(4) for animal in ANIMALS for mood in MOODS
]


def listen(texts, instruction):
    """Embeds the words of a facet that are in a text; of all facets, if it isn't asked for one."""
    asked = {"animal": ANIMALS, "mood": MOODS}
    facet = next((facet for facet, own in ASKS.items() if instruction in own), None)
    words = asked[facet] if facet else ANIMALS + MOODS
    noise = np.random.default_rng(0).normal(0, 0.01, (len(texts), len(words)))
    return np.array([[word in text for word in words] for text in texts]) + noise


def write_lines(path, lines):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


@pytest.fixture
def folder(tmp_path):
    """A folder of the development sets' schema."""
    about = {
        facet: {"instructions": asks, "n_labels": 3, "majority": 0.5}
        for facet, asks in ASKS.items()
    }
    sets = {name: about | {"license": "ours", "n": 24} for name in ("pets", "more\u2028pets")}
    (tmp_path / "facets.json").write_text(json.dumps(sets), "utf-8")
    lines = [
        {"text": text, "labels": {"animal": text.split()[3], "mood": text.split()[1]}}
        for text in TEXTS
    ]
    write_lines(tmp_path / "pets.jsonl.gz", lines)
    write_lines(tmp_path / "more\u2028pets.jsonl", lines[:-1])
    return tmp_path


def test_sets_are_read_as_written(folder):
    pets, more = read_sets(folder)
    assert pets.texts == tuple(TEXTS)
    assert pets.instructions == {facet: tuple(asks) for facet, asks in ASKS.items()}
    assert set(pets.labels["animal"]) == set(ANIMALS)
    assert len(more.texts) == 23
    assert [len(one.texts) for one in read_sets(folder, 10)] == [10, 10]


def test_samples_bring_their_own_instructions():
    sets = sample_sets()
    assert [one.name for one in sets] == [sample.name for sample in samples()]
    for one, sample in zip(sets, samples(), strict=True):
        asked = [(text, facet) for facet, texts in one.instructions.items() for text in texts]
        assert sorted(asked) == sorted(sample.instructions)
        assert one.labels.keys() == one.instructions.keys()


def test_who_listens_is_perfect_and_beats_every_control(folder):
    report = facets(listen, folder, samples=50)
    assert report.v == pytest.approx(np.full(51, 100.0))
    assert report.t[0] == 100
    assert [(one.set_name, one.facet) for one in report.scores][:2] == [
        ("pets", "animal"),
        ("pets", "mood"),
    ]
    means = {
        name: score_sets(listen, read_sets(folder), ask=ask).t[0] for name, ask in CONTROLS.items()
    }
    assert means["another facet's"] == 0
    assert means["no instruction"] == means["irrelevant"] == pytest.approx(50)


def test_all_instructions_and_missing_labels(folder):
    lines = [{"text": text, "labels": {"mood": text.split()[1]}} for text in TEXTS]
    lines += [{"text": TEXTS[0], "labels": {}}]
    write_lines(folder / "pets.jsonl.gz", lines)
    report = facets(listen, folder, first_only=False)
    assert len(report.scores) == 8
    animal, _, mood, _ = report.of_set("pets").scores
    assert np.isnan([animal.v[0], animal.t[0], mood.t[0]]).all()  # nothing to compare with
    assert mood.v[0] == pytest.approx(100)
    assert report.v[0] == pytest.approx(100)


def test_a_single_facet_has_no_mirror(folder):
    about = {"pets": {"animal": {"instructions": ASKS["animal"]}}}
    (folder / "facets.json").write_text(json.dumps(about), "utf-8")
    report = facets(listen, folder, samples=5)
    assert report.v[0] == pytest.approx(100)
    assert np.isnan(report.t).all()
    assert score_sets(listen, read_sets(folder), ask=CONTROLS["another facet's"]).scores == ()


def test_controls_ask_what_they_say(folder):
    asked = []

    def noted(texts, instruction):
        asked.append(instruction)
        return listen(texts, instruction)

    one = read_sets(folder)[0]
    for ask in (own, *CONTROLS.values()):
        score_sets(remembered(noted), [one], first_only=False, ask=ask)
    animal, mood = ASKS["animal"], ASKS["mood"]
    assert asked == [*animal, *mood, "", mood[0], animal[0], IRRELEVANT]


def test_cross_scores_are_high_where_the_instruction_asks_for_the_facet(folder):
    scores, asked, facet_of = cross_scores(listen, read_sets(folder)[0], first_only=False)
    assert asked == [*ASKS["animal"], *ASKS["mood"]]
    assert facet_of == ["animal", "animal", "mood", "mood"]
    assert scores == pytest.approx(np.repeat([[100, 0], [0, 100]], 2, axis=1), abs=8)


@pytest.fixture
def static(tmp_path):
    """A tiny plain encoder on disk."""
    model, tokenizer = tiny.model("bert")
    BertModel(model.config).save_pretrained(tmp_path / "plain")
    tokenizer.save_pretrained(tmp_path / "plain")
    return tmp_path / "plain"


def test_a_static_embedder_reads_the_question_as_text(static):
    embed = StaticEmbedder.from_pretrained(str(static))
    alone = embed(["my dog", "the garden is wonderful"])
    assert alone.shape == (2, 32)
    joined = embed(["my dog"], "I love cats, and")
    np.testing.assert_allclose(joined, embed(["I love cats, and my dog"]), atol=1e-6)
    np.testing.assert_allclose(embed.without(["my dog"], "What?"), alone[:1], atol=1e-5)
    each = embed(["my dog", "my dog"], ["", "I love cats, and"])
    np.testing.assert_allclose(each, [alone[0], joined[0]], atol=1e-5)


PAPER_ROWS = {
    "IntentEmotion-emotion": [
        {"anchor": "I love my cat.", "positive": "I love my dog.", "negative": "I hate my cat."},
        {"anchor": "I hate my cat.", "positive": "I hate my dog.", "negative": "I love my cat."},
    ],
    "InstructSTSB": [
        {"sentence1": TEXTS[i], "sentence2": TEXTS[j], "instruction": ask, "score": score}
        for i, j, ask, score in [(0, 2, "the mood", 1), (0, 2, "the animal", 0), (0, 6, "", 0.9)]
    ],
    "RateMyProfClustering": [{"text": text, "cluster": text.split()[3]} for text in TEXTS],
    "FewRelClustering": [
        {"sentences": TEXTS, "labels": [text.split()[i] for text in TEXTS]} for i in (3, 3)
    ],
}
PAPER_ROWS["IntentEmotion-intent"] = [
    row | {"positive": row["negative"], "negative": row["positive"]}
    for row in PAPER_ROWS["IntentEmotion-emotion"]
]


@pytest.fixture
def published(tmp_path):
    """Small files of the schema that the paper's data have on the hub."""
    for name, rows in PAPER_ROWS.items():
        write_lines(tmp_path / f"{name}.jsonl", rows)
    return tmp_path


def under(instructions):
    """An encoder that hears the paper's instructions as ours."""
    heard = {theirs: asks[0] for asks, group in instructions for theirs in group}

    def encode(texts, instruction):
        if isinstance(instruction, str):
            return listen(texts, heard.get(instruction, instruction))
        # all facets side by side, those that aren't asked for empty
        rows = []
        for text, one in zip(texts, instruction, strict=True):
            facet = next((facet for facet, own in ASKS.items() if one in own), "")
            rows.append(
                [word in text and facet != "mood" for word in ANIMALS]
                + [word in text and facet != "animal" for word in MOODS]
            )
        return np.array(rows, dtype=np.float32)

    return encode


def task(name):
    return next(task for task in paper.tasks() if task.name == name)


def test_the_papers_tasks_are_complete():
    tasks = paper.tasks()
    assert len(tasks) == 8
    assert {task.metric for task in tasks} == {"triplets", "pairs", "clusters"}
    robust = [task for task in tasks if task.robustness]
    assert len(robust) == 6
    for one in robust:
        assert list(one.robustness) == ["correct", "implicit", "incorrect"]
        assert all(len(set(asks)) == 10 for asks in one.robustness.values())
        assert one.robust_config in one.instructions


def test_triplets_of_two_configs_have_a_harmonic_mean(published):
    one = task("IntentEmotion")
    heard = [(ASKS["mood"], [one.instructions["emotion"]])]
    score = paper.score_task(under(heard), one, published)
    assert score.parts["emotion"] == 100
    both = [*heard, (ASKS["animal"], [one.instructions["intent"]])]
    assert paper.score_task(under(both), one, published).score == 100
    wrong = [(ASKS["mood"], one.instructions.values())]
    assert paper.score_task(under(wrong), one, published).score == 0


def test_pairs_are_read_under_their_own_instructions(published):
    assert paper.score_task(under([]), task("InstructSTSB"), published).score > 80
    rows = [row | {"instruction": ""} for row in PAPER_ROWS["InstructSTSB"]]
    write_lines(published / "InstructSTSB.jsonl", rows)
    assert paper.score_task(under([]), task("InstructSTSB"), published).score < 80


@pytest.mark.parametrize("name", ["RateMyProfClustering", "FewRelClustering"])
def test_clusterings_come_as_rows_or_as_lists(published, name):
    one = task(name)
    heard = [(ASKS["animal"], one.instructions.values())]
    assert paper.score_task(under(heard), one, published).score == pytest.approx(100)
    assert paper.score_task(under(heard), one, published, 12).score == pytest.approx(100)


def test_robustness_is_the_worst_correct_above_the_best_incorrect(published):
    one = task("RateMyProfClustering")
    heard = [
        (ASKS["animal"], one.robustness["correct"]),
        (ASKS["animal"], one.robustness["implicit"][1:]),
        (ASKS["mood"], [*one.robustness["incorrect"], one.robustness["implicit"][0]]),
    ]
    found = paper.robustness(under(heard), one, published)
    assert [len(scores) for scores in found.scores.values()] == [10, 10, 10]
    assert found.margin() > 90
    assert found.margin("implicit") == pytest.approx(0, abs=8)


def test_only_what_a_folder_holds_is_asked_of_it(published, tmp_path):
    names = [one.name for one in paper.available(published)]
    assert names == ["IntentEmotion", "InstructSTSB", "FewRelClustering", "RateMyProfClustering"]
    assert len(paper.available(None)) == 8


def test_stsb_by_split(tmp_path):
    pairs = [{"sentence1": a, "sentence2": b, "score": 1} for a in TEXTS[:3] for b in TEXTS[:2]]
    write_lines(tmp_path / "plain.jsonl", pairs)
    assert [(split, len(rows)) for split, rows in paper.stsb(tmp_path / "plain.jsonl").items()] == [
        ("all", 6)
    ]
    splits = [pair | {"split": split} for pair in pairs for split in ("dev", "test")]
    write_lines(tmp_path / "stsb_pairs.jsonl.gz", splits)
    found = paper.stsb(tmp_path, 4)
    assert {split: len(rows) for split, rows in found.items()} == {"dev": 4, "test": 4}


@pytest.mark.model
def test_facets_on_the_command_line(folder, static, tmp_path, capsys):
    out, pictures = tmp_path / "new" / "out.json", tmp_path / "pictures"
    arguments = ["--data", folder, "--static", static, "--json", out, "--pictures", pictures]
    main([str(one) for one in arguments])
    printed = capsys.readouterr().out
    assert "What animal is it?" in printed
    assert "irrelevant" in printed
    saved = json.loads(out.read_text("utf-8"))
    runs = saved["models"]["inbedder-minilm-l6"]
    own, other = runs["its instruction"], runs["another facet's"]
    assert own["v"] > 80
    assert own["t"] > 90 > 40 > other["t"]
    assert own["sets"].keys() == {"pets", "more\u2028pets"}
    assert len(own["facets"]) == 4
    assert {"plain, text alone", "plain, question before it"} <= runs.keys()
    page = (pictures / "facets-inbedder-minilm-l6.html").read_text("utf-8")
    assert "What animal is it?" in page
    assert page.count("Plotly.newPlot(") == 2


@pytest.mark.model
def test_paper_on_the_command_line(published, capsys):
    arguments = ["--suite", "paper", "--data", str(published), "--limit", "6"]
    found = evaluate([*arguments, "--all-instructions"])
    scores = found["models"]["inbedder-minilm-l6"]
    assert 0 <= scores["InstructSTSB"]["score"] <= 100
    assert scores["robustness"].keys() == {"FewRelClustering", "RateMyProfClustering"}
    printed = capsys.readouterr().out
    assert "has no data of NYTClustering" in printed
    assert "worst correct − best incorrect" in printed


@pytest.mark.model
def test_sts_on_the_command_line(tmp_path, static, capsys):
    pairs = [
        {"sentence1": "I love my cat.", "sentence2": other, "score": score, "split": "dev"}
        for other, score in [("I adore my cat.", 5), ("I love dogs.", 2), ("It rains.", 0)]
    ]
    write_lines(tmp_path / "pairs.jsonl", pairs)
    arguments = ["--suite", "sts", "--data", tmp_path / "pairs.jsonl", "--static", static]
    found = evaluate([str(one) for one in arguments])["models"]
    assert found["inbedder-minilm-l6, ''"]["dev"] == pytest.approx(100)
    assert "plain" in found
    assert "dev (3)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody-knows-it"], "no checkpoint 'nobody-knows-it'"),
        (["--data", "NOWHERE"], "no file or folder"),
        (["--data", "EMPTY"], "has no facets.json"),
        (["--data", "EMPTY", "--suite", "paper"], "no data of the paper"),
        (["--data", "EMPTY", "--suite", "sts"], "neither stsb_pairs.jsonl.gz nor"),
        (["--static", "NOWHERE"], "can't be loaded"),
        (["--json", "EMPTY/file/out.json"], "can't be made"),
    ],
)
def test_mistakes_are_one_sentence(arguments, said, tmp_path):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "EMPTY" / "file").write_text("", "utf-8")
    there = [one.replace("EMPTY", str(tmp_path / "EMPTY")) for one in arguments]
    with pytest.raises(SystemExit, match=said):
        main([one.replace("NOWHERE", str(tmp_path / "nowhere")) for one in there])


@pytest.mark.skipif(find_spec("datasets") is not None, reason="datasets is installed")
@pytest.mark.parametrize("suite", ["paper", "sts"])
def test_without_datasets_it_says_what_to_install(suite):
    with pytest.raises(SystemExit, match="pip install datasets"):
        main(["--suite", suite])


@pytest.mark.parametrize(
    ("about", "line", "said"),
    [
        ("{", "", "no valid JSON"),
        ("[1]", "", "not as expected"),
        ("{}", "", "names no set"),
        ('{"pets": {"n": 3}}', '{"text": "a", "labels": {}}', "no facet with instructions"),
        ('{"pets": {"f": {"instructions": ["What?"]}}}', "", "has no text"),
        ('{"a": {"f": {"instructions": ["What?"]}}}', "", "neither a.jsonl.gz nor a.jsonl"),
        ('{"pets": {"f": {"instructions": ["What?"]}}}', "[]", "Line 1 of"),
        ('{"pets": {"f": {"instructions": ["What?"]}}}', '{"text": "a"}', "Line 1 of"),
        (
            '{"pets": {"f": {"instructions": ["What?"]}}}',
            '{"text": "a", "labels": 3}',
            "not as expected",
        ),
    ],
)
def test_a_folder_that_reads_otherwise_is_explained(tmp_path, about, line, said):
    (tmp_path / "facets.json").write_text(about, "utf-8")
    (tmp_path / "pets.jsonl").write_text(line, "utf-8")
    with pytest.raises(SystemExit, match=said):
        main(["--data", str(tmp_path)])


def test_no_instruction_is_the_empty_one(folder):
    assert no_instruction(read_sets(folder)[0], "animal", "What?") == ""


@pytest.mark.parametrize("limit", ["0", "-3", "many"])
def test_a_limit_is_a_number(limit, capsys):
    with pytest.raises(SystemExit):
        main(["--limit", limit])
    assert "no number from 1 up" in capsys.readouterr().err
