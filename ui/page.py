"""The whole page, and how it is launched."""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from inbedder_core.export import from_dict
from inbedder_core.samples import sample
from inbedder_core.schema import Exploration
from inbedder_core.texts import MAX_BYTES
from ui import api, explore_tab, use_it_tab

ASSETS = Path(__file__).parents[1] / "assets"
OPENING = ASSETS / "opening.json"
OPENING_SAMPLE = "pets"
TITLE = "InBedder Explorer"

_SYSTEM_FONTS = ("ui-sans-serif", "system-ui", "sans-serif")
_MONOSPACE = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")
_THEME_BUTTON = "() => { document.body.classList.toggle('dark'); }"


def opening() -> Exploration:
    """The exploration that the page opens with, made by `inbedder_core.recipes.opening`."""
    return from_dict(json.loads(OPENING.read_text(encoding="utf-8")))


def build() -> gr.Blocks:
    """Builds the page; nothing is loaded or computed."""
    with gr.Blocks(title=TITLE, fill_width=True, analytics_enabled=False) as page:
        with gr.Row(elem_classes="masthead"):
            gr.Markdown(
                f"# {TITLE}\nAsk the same texts different questions, and watch the map of their "
                "meaning change."
            )
            theme = gr.Button("◐ Light / dark", elem_id="theme", size="sm", min_width=110, scale=0)
        theme.click(None, js=_THEME_BUTTON, api_visibility="private")
        with gr.Tab("Explore"):
            explore_tab.build(opening(), sample(OPENING_SAMPLE))
        with gr.Tab("Use it"), gr.Column(elem_classes="page-of-text"):
            use_it_tab.build()
        api.add()
    return page.queue(default_concurrency_limit=4)


def launch_options() -> dict[str, Any]:
    """Keyword arguments for `gr.Blocks.launch`."""
    return {
        "theme": gr.themes.Base(
            primary_hue="indigo",
            neutral_hue="slate",
            radius_size="md",
            font=_SYSTEM_FONTS,
            font_mono=_MONOSPACE,
        ).set(
            body_text_color_subdued="*neutral_500",
            body_text_color_subdued_dark="*neutral_400",
        ),
        "css_paths": ASSETS / "app.css",
        "footer_links": ["api"],
        "run_history": False,  # it would keep what visitors type in their browser
        "max_file_size": MAX_BYTES,
        "state_session_capacity": 100,  # visitors whose work is kept in memory
        "ssr_mode": False,
    }
