"""One line that tells the visitor what happened, as plain text."""

import json
from typing import Any, Literal

import gradio as gr

Kind = Literal["info", "working", "error"]

_SHOW = """
const line = element.querySelector(".notice");
const show = () => {
  const { kind, text } = JSON.parse(props.value);
  line.textContent = text;
  line.dataset.kind = kind;
  line.setAttribute("role", kind === "error" ? "alert" : "status");
};
watch("value", show);
show();
"""


def build(**options: Any) -> gr.HTML:
    """An empty line whose text is announced by screen readers, and is never read as markup."""
    return gr.HTML(
        note(""),
        html_template='<p class="notice" role="status" data-testid="notice"></p>',
        js_on_load=_SHOW,
        apply_default_css=False,
        **options,
    )


def note(text: str, kind: Kind = "info") -> str:
    """The value to return for the line from an event handler."""
    return json.dumps({"kind": kind, "text": text})
