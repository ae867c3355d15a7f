"""The component that carries the linked view, and its scripts."""

import json
import re
import shutil
import subprocess

import gradio as gr
import pytest
from fake_exploration import fake_exploration

from inbedder_core import figures
from inbedder_core.payload import payload
from ui.linked_view import ASSETS, LinkedView

TEXTS = [f"A private text number {i}" for i in range(36)]
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{value}}${value}`"


@pytest.fixture
def exploration():
    return fake_exploration(TEXTS)


def test_every_symbol_of_the_figures_has_an_outline_on_the_page():
    script = (ASSETS / "linked_view.js").read_text(encoding="utf-8")
    outlines = re.search(r"const SYMBOLS = \{(.*?)\};", script, re.DOTALL)[1]
    assert set(re.findall(r'"([\w-]+)":', outlines)) == set(figures.SYMBOLS)


def test_hostile_texts_travel_as_data_and_templates_hold_none(exploration):
    hostile = fake_exploration([HOSTILE] * 36, (HOSTILE,), names=[(HOSTILE, "b")])
    component = LinkedView(payload(hostile))
    assert json.loads(component.value)["texts"][0] == HOSTILE
    plain = LinkedView()
    assert component.html_template == plain.html_template
    assert component.css_template == plain.css_template
    assert component.js_on_load == plain.js_on_load
    assert "value" not in component.html_template + component.css_template


def test_templates_can_stand_gradios_interpolation():
    component = LinkedView()
    for template in (component.html_template, component.css_template):
        assert not any(mark in template for mark in ("${", "{{", "`", "\\"))
    assert "@keyframes" not in component.css_template


def test_scripts_write_no_markup():
    for script in ("linked_view.js", "linked_table.js"):
        code = (ASSETS / script).read_text(encoding="utf-8")
        assert not re.search(r"(inner|outer)HTML|insertAdjacentHTML|document\.write|eval\(", code)
        assert len(code.splitlines()) <= 700


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_script_parses(tmp_path):
    script = tmp_path / "script.mjs"
    script.write_text(f"async function run() {{ {LinkedView().js_on_load} }}", encoding="utf-8")
    subprocess.run(["node", "--check", str(script)], check=True, capture_output=True)


def test_the_component_stays_updatable_and_offers_its_events(exploration):
    with gr.Blocks():
        component = LinkedView()
        for event in (component.pair, component.pin, component.select, component.change):
            event(lambda: None, None, None)
    config = component.get_config()
    assert config["props"] == {"pair_similarity": None}
    assert config["apply_default_css"] is False
    json.dumps(config)
    assert component.postprocess(None) is None


def test_making_the_class_leaves_no_stub_behind():
    assert not (ASSETS.parent / "ui" / "linked_view.pyi").exists()
