"""The instructions: one to four boxes, A to D, and suggestions that fill them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from inbedder_core.exploration import LETTERS, MAX_INSTRUCTIONS
from inbedder_core.samples import Sample, samples
from ui.notice import note

ANYWHERE = (
    "What is the topic?",
    "What emotion is expressed?",
    "Is it positive or negative?",
    "Which place is mentioned?",
    "What does the writer want?",
)
"""Suggestions for texts of which nothing is known."""


@dataclass(frozen=True)
class InstructionsPanel:
    """The components that other panels read or fill.

    Attributes:
        boxes: One box per letter; blank ones are not explored.
        everything: What `fill` sets: the number of boxes shown (a state), the boxes, their rows,
            and the button that adds one.
        suggestions: Instructions that can be taken with a click.
    """

    boxes: list[gr.Textbox]
    everything: list[Any]
    suggestions: gr.Dataset


def build(sample: Sample, notice: gr.HTML) -> InstructionsPanel:
    """Lays out the panel with the first two instructions of a sample."""
    first = sample.starters
    boxes, rows, removes = [], [], []
    for index, letter in enumerate(LETTERS):
        with gr.Row(visible=index < len(first), elem_classes=f"instruction letter-{letter}") as row:
            boxes.append(
                gr.Textbox(
                    first[index] if index < len(first) else "",
                    label=f"Instruction {letter}",
                    placeholder="Ask a question about each text",
                    elem_id=f"instruction-{letter}",
                    scale=8,
                    min_width=120,
                )
            )
            removes.append(
                gr.Button(
                    f"Remove {letter}",
                    elem_classes="remove",
                    min_width=36,
                    scale=0,
                    elem_id=f"remove-{letter}",
                )
            )
        rows.append(row)
    add = gr.Button("+ Add an instruction", size="sm", elem_id="add-instruction")
    suggestions = gr.Dataset(
        components=[gr.Textbox(visible=False)],
        **suggested(sample),
        label="Suggestions",
        layout="gallery",
        elem_id="suggestions",
        render=False,  # below the button that starts the work
    )
    shown = gr.State(len(first))
    everything = [shown, *boxes, *rows, add]
    add.click(_add, shown, everything, show_progress="hidden", api_visibility="private")
    for index, remove in enumerate(removes):
        remove.click(
            lambda n, *texts, index=index: _remove(index, n, *texts),
            [shown, *boxes],
            everything,
            show_progress="hidden",
            api_visibility="private",
        )
    suggestions.click(
        _take,
        [suggestions, shown, *boxes],
        [*everything, notice],
        show_progress="hidden",
        api_visibility="private",
    )
    return InstructionsPanel(boxes, everything, suggestions)


def suggested(sample: Sample | None) -> dict[str, Any]:
    """The suggestions for a sample, or for texts of which nothing is known."""
    if sample is None:
        return {"samples": [[i] for i in ANYWHERE], "sample_labels": list(ANYWHERE)}
    good = [instruction for instruction, _ in sample.instructions]
    bad = sample.bad_instruction[0]
    return {
        "samples": [[i] for i in (*good, bad)],
        "sample_labels": [*good, f"{bad} (a bad one)"],
    }


def fill(instructions: Sequence[str], shown: int | None = None) -> list[object]:
    """The values of `InstructionsPanel.everything` for these instructions.

    Args:
        instructions: Up to four instructions; blank ones are allowed.
        shown: Number of boxes to show; None for as many as there are instructions, at least one.
    """
    shown = max(1, len(instructions)) if shown is None else shown
    texts = [*instructions, *[""] * MAX_INSTRUCTIONS][:MAX_INSTRUCTIONS]
    rows = [gr.Row(visible=index < shown) for index in range(MAX_INSTRUCTIONS)]
    return [shown, *texts, *rows, gr.Button(visible=shown < MAX_INSTRUCTIONS)]


def _add(shown: int) -> list[object]:
    """One more box; the others are left alone, for somebody may be typing there meanwhile."""
    count, *parts = fill([], min(shown + 1, MAX_INSTRUCTIONS))
    return [count, *[gr.skip()] * MAX_INSTRUCTIONS, *parts[MAX_INSTRUCTIONS:]]


def _remove(index: int, shown: int, *texts: str) -> list[object]:
    return fill([*texts[:index], *texts[index + 1 :]], max(1, shown - 1))


def _take(chosen: list[str], shown: int, *texts: str) -> list[object]:
    """Puts a suggestion into the first blank box, else a new one, else the last."""
    place = next((i for i, text in enumerate(texts[:shown]) if not text.strip()), shown)
    place = min(place, MAX_INSTRUCTIONS - 1)
    filled = [*texts[:place], chosen[0], *texts[place + 1 :]]
    why = next((s.bad_instruction[1] for s in samples() if s.bad_instruction[0] == chosen[0]), "")
    message = f"A bad instruction, to learn from: {why}" if why else ""
    return [*fill(filled, max(shown, place + 1)), note(message)]
