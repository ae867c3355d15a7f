"""The benchmark: a very small run of all of it, and how it counts. Nothing here asserts a time."""

import json
import os
from types import SimpleNamespace

import pytest

from inbedder_core.recipes import page_times, side_by_side
from inbedder_core.recipes.benchmark import INSTRUCTION, PARTS, benchmark, main, questions, written
from inbedder_core.recipes.page_times import STAGES, Clock, Question, growth
from inbedder_core.recipes.side_by_side import compare, needed_gflop
from inbedder_core.recipes.ways import REFERENCE, WAYS, Way, Work

CONFIG = SimpleNamespace(hidden_size=2, intermediate_size=8, num_hidden_layers=3)


def numbers(tree):
    """All numbers in what JSON holds."""
    if isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from numbers(value)
    elif isinstance(tree, int | float):
        yield tree


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """All parts, measured on very few texts, as the file says."""
    path = tmp_path_factory.mktemp("bench") / "out.json"
    benchmark(["--quick", "--json", str(path)])
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_ways_agree(quick):
    found = quick["encoders"]
    costs = found["costs"]
    assert {way.name for way in WAYS if not way.needs} <= costs.keys()
    assert costs.keys() | found["skipped"].keys() == {way.name for way in WAYS}
    assert all(cost["worst_cosine"] > 0.999 for cost in costs.values())
    assert costs["ours, float32"]["worst_cosine"] > 0.99999
    assert all(number > 0 for number in numbers([costs, found["peak_gflops"]]))


def test_the_page_comes_with_its_figures(quick):
    for one in quick["start"]["starts"]:
        assert 0 < one["answered_s"] < one["complete_s"]
        assert one["page_bytes"] > 50_000  # the opening exploration is in it
        assert one["parts_bytes"] > 1_000_000  # and plotly.js is in its parts


def test_every_stage_of_a_question_is_seen(quick):
    for one in quick["question"]["sizes"]:
        assert one["seconds"].keys() == set(STAGES)
        assert all(number > 0 for number in numbers(one))
        # Less would mean that a stage is not watched any more.
        assert sum(one["seconds"].values()) == pytest.approx(one["total_s"])
    assert quick["question"]["growth"][0].keys() == set(STAGES)


def test_a_map_is_panned_in_a_browser(quick):
    if os.environ.get("JOURNEYS") == "0":
        pytest.skip("LEFT OUT: there need not be a browser (JOURNEYS=0)")
    assert [one["n"] for one in quick["pan"]["sizes"]] == [12, 40]
    for one in quick["pan"]["sizes"]:
        assert 0 < one["frame_ms"] <= one["longest_ms"]
        assert one["work_ms"] > 0


def test_without_a_browser_the_rest_is_measured(monkeypatch, capsys):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    assert benchmark(["--quick", "--parts", "pan"])["pan"] == {}
    assert "LEFT OUT: frames in a browser (no Chromium runs" in capsys.readouterr().out


def test_the_command_line_is_watched(quick):
    found = quick["bulk"]
    assert found == {} or all(number > 0 for number in numbers(found))
    assert found == {} or max(found["memory_mb"]) <= found["peak_mb"]


def test_texts_and_questions_are_different_and_always_the_same():
    assert written(50) == written(50)
    assert len(set(written(50))) == 50
    lengths = [len(text.split()) for text in written(200)]
    assert max(lengths) > 4 * min(lengths)
    assert len(set(questions(20))) == 20
    assert questions(1) == [INSTRUCTION]


def test_needed_arithmetic_by_hand():
    # A token: 4 products with (2, 2), 2 with (2, 8); a pair: its score and its share, 2 wide.
    per_token, per_pair = 2 * (4 * 4 + 2 * 16), 2 * (2 + 2)
    assert needed_gflop(CONFIG, [5]) * 1e9 == pytest.approx(3 * (5 * per_token + 25 * per_pair))
    assert needed_gflop(CONFIG, [1, 1]) == pytest.approx(2 * needed_gflop(CONFIG, [1]))


def test_time_belongs_to_the_inner_stage(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr(page_times.time, "perf_counter", lambda: next(now))
    clock = Clock()  # 0
    inner = clock.watched("inner", lambda: "result")
    assert clock.watched("outer", inner)() == "result"  # in at 1 and 3, out at 6 and 10
    assert clock.stop() == {"other": 1 + 5, "outer": 2 + 4, "inner": 3}


def test_growth_is_an_exponent():
    small = Question(10, dict.fromkeys(STAGES, 1.0), 1.0, 1, 1, 1.0)
    large = Question(100, dict.fromkeys(STAGES, 100.0), 1.0, 1, 1, 1.0)
    assert set(growth(small, large).values()) == {2.0}


def test_what_is_missing_is_said(tmp_path):
    work = Work(("a", "b"), "What?", tmp_path)
    absent = Way("absent", dict, needs=("no_such_package",))
    broken = Way("broken", int, needs=("json",))
    found = compare(work, [5, 6], CONFIG, rounds=1, ways=[REFERENCE, absent, broken])
    assert found.costs.keys() == {REFERENCE.name}
    assert "pip install no_such_package" in found.skipped["absent"]
    assert found.skipped["broken"] == "it ended; see above"


def test_a_way_of_ours_may_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "PAUSE", 0)
    broken = Way("broken", int)
    with pytest.raises(RuntimeError, match="broken ended"):
        compare(Work(("a",), "What?", tmp_path), [5], CONFIG, rounds=1, ways=[broken])


def test_own_texts_count_once_each(tmp_path, monkeypatch):
    path = tmp_path / "texts.txt"
    path.write_text("I love cats\nI love dogs\nI love cats\n", encoding="utf-8")
    monkeypatch.setitem(PARTS, "bulk", lambda texts, _: {"given": texts})
    found = benchmark(["--texts", str(path), "--parts", "bulk"])
    assert found["bulk"] == {"given": ("I love cats", "I love dogs")}


def test_a_mistake_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match="nothing-here"):
        main(["--texts", str(tmp_path / "nothing-here.csv")])
