"""One line that tells the visitor what happened, as plain text."""

import json
from typing import Any, Literal

import gradio as gr

Kind = Literal["info", "working", "error"]

_SHOW = """
const line = element.querySelector(".notice");
const show = () => {
  const { kind, text } = props.value ? JSON.parse(props.value) : { kind: "info", text: "" };
  line.textContent = text;
  line.dataset.kind = kind;
  line.setAttribute("role", kind === "error" ? "alert" : "status");
};
watch("value", show);
show();
"""


class Notice(gr.HTML):
    """A line of text with a role that screen readers announce; its text is never markup."""

    def __init__(self, text: str = "", kind: Kind = "info", **kwargs: Any) -> None:
        options = {
            "html_template": '<p class="notice" role="status" data-testid="notice"></p>',
            "js_on_load": _SHOW,
            "apply_default_css": False,
        }
        super().__init__(note(text, kind), **options | kwargs)


def note(text: str, kind: Kind = "info") -> str:
    """The value to return for a `Notice` from an event handler."""
    return json.dumps({"kind": kind, "text": text})
