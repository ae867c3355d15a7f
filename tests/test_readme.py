"""What the README shows works."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_block_runs(capsys):
    [code] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    names: dict[str, object] = {}
    exec(code, names)
    said = capsys.readouterr().out
    assert "'I dislike cats!' by animal" in said
    assert "'I love dogs!' by emotion" in said
    assert names["embeddings"].shape == (3, 384)
    word, probability = names["answers"][0][0]
    assert word == "cats"
    assert f'("cats", {probability:.1f}…)' in README  # bfloat16 and float32 agree so far


def test_the_code_on_the_page_runs():
    from ui.use_it_tab import LIBRARY

    exec(LIBRARY, {})


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
