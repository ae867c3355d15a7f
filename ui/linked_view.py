"""The linked view: maps, heatmaps, table and detail of one exploration, all pointing together.

The page's side is `assets/linked_view.js`; `inbedder_core.payload` makes the data that it draws.
"""

import html
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from inbedder_core import figures
from inbedder_core.payload import to_json

ASSETS = Path(__file__).parent.parent / "assets"
SCRIPTS = ("linked_view.js", "linked_data.js", "linked_table.js")
MOUNT = "mountLinkedView({ element, trigger, props, watch });"


class LinkedView(gr.HTML):
    """Draws a `payload` and links everything in it; needs no other component.

    To show something, return `payload(exploration)` for it from an event handler (None for the
    empty state). Zoom, pins, selection and search survive as long as the texts stay the same.

    Events, besides Gradio's ``change`` (read ``event._data`` of `gr.EventData`, or its attributes):
        select: ``indices``, the texts that are selected now (an empty list when cleared).
        pin: ``indices``, the one text or the pair that is pinned now (or an empty list).
        pair: ``i`` and ``j``, when the page lacks the similarity of a pair, which happens above
            400 texts. Answer with ``LinkedView(pair_similarity={"i": i, "j": j,
            "similarity": [one cosine per view]})``.

    The payload travels as one string (`to_json`) in ``value``: the page compares and copies every
    prop, which is cheap for a string and slow for a tree. Nothing of it is put into a template.
    """

    def __init__(
        self,
        value: dict[str, Any] | None = None,
        *,
        pair_similarity: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        _serve_plotly()
        self.pair_similarity = pair_similarity
        source = html.escape(f"/gradio_api/file={figures.PLOTLY_JS.as_posix()}")
        options: dict[str, Any] = {
            "html_template": f'<div class="lv" data-plotly="{source}"></div>',
            "css_template": _asset("linked_view.css"),
            "js_on_load": "\n".join([*map(_asset, SCRIPTS), MOUNT]),
            "apply_default_css": False,
        }
        super().__init__(value, pair_similarity=pair_similarity, **options | kwargs)

    def postprocess(self, value: dict[str, Any] | str | None) -> str | None:
        """Turns a payload into the string that the page reads."""
        if value is None or isinstance(value, str):
            return value
        return to_json(value)


# Gradio writes a copy of this module beside it, for editors, whenever the class is made; it would
# go stale, and type checkers would believe it.
Path(__file__).with_suffix(".pyi").unlink(missing_ok=True)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


@cache
def _serve_plotly() -> None:
    gr.set_static_paths([figures.PLOTLY_JS])
