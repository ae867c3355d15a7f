"""The tab Explore: texts and instructions on the left, the linked view on the right."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import gradio as gr

from inbedder_core import projection
from inbedder_core.errors import Cancelled, InBedderError
from inbedder_core.exploration import checked_instructions, explore, reorder
from inbedder_core.samples import Sample, sample, samples
from inbedder_core.schema import Collection, Exploration, Settings
from inbedder_core.similarity import cosine
from ui import instructions_panel, notice, settings_panel, texts_panel
from ui.instructions_panel import InstructionsPanel
from ui.linked_view import LinkedView, payload
from ui.notice import note
from ui.session import Session
from ui.settings_panel import SettingsPanel
from ui.texts_panel import TextsPanel

N_COMPUTING = 7
"""Number of components in `SettingsPanel.computing`."""

UMAP_LATER = "UMAP is getting ready, which takes some seconds once; until then the map is PCA's."


def build(opening: Exploration, chosen: Sample) -> None:
    """Lays out the tab and wires it.

    Args:
        opening: What to show before anything was pressed.
        chosen: The sample whose texts and instructions it shows.
    """
    session = gr.State(Session(opening), time_to_live=2 * 3600)
    line = notice.build(elem_id="notice", render=False)
    gallery = gr.Radio(
        [(f"{one.emoji} {one.title}", one.name) for one in samples()],
        value=chosen.name,
        label="Start from a sample",
        elem_id="samples",
    )
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=1, min_width=320, elem_classes="left"):
            text_part = texts_panel.build(chosen.collection, line)
            asked = instructions_panel.build(chosen, line)
            with gr.Row():
                go = gr.Button(
                    "Explore", variant="primary", elem_id="explore", scale=3, min_width=110
                )
                stop = gr.Button(
                    "Cancel", interactive=False, elem_id="cancel", scale=1, min_width=80
                )
            line.render()
            knobs = settings_panel.build(opening)
        with gr.Column(scale=4, min_width=320, elem_classes="right"):
            view = LinkedView(payload(opening), elem_id="linked-view")
    _wire_work(session, gallery, text_part, asked, knobs, (go, stop), line, view)
    _wire_display(session, knobs, line, view)


def _wire_work(
    session: gr.State,
    gallery: gr.Radio,
    text_part: TextsPanel,
    asked: InstructionsPanel,
    knobs: SettingsPanel,
    buttons: tuple[gr.Button, gr.Button],
    line: gr.HTML,
    view: LinkedView,
) -> None:
    """Everything that starts or stops the work on texts and instructions."""
    go, stop = buttons
    work: dict[str, Any] = {
        "fn": _run,
        "inputs": [
            session,
            text_part.box,
            text_part.source,
            knobs.checkpoint,
            knobs.sort_by,
            knobs.color_by,
            *knobs.computing,
            *asked.boxes,
        ],
        "outputs": [view, line, stop, knobs.sort_by, knobs.color_by],
        "show_progress_on": line,
        "concurrency_id": "work",
        "concurrency_limit": 1,
        "api_visibility": "private",
    }
    chosen = gallery.input(
        _choose_sample,
        gallery,
        [text_part.box, text_part.source, *asked.everything],
        show_progress="hidden",
        api_visibility="private",
    )
    chosen.then(**work)
    text_part.box.change(
        _suggest,
        text_part.box,
        asked.suggestions,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    gr.on([go.click, *(box.submit for box in asked.boxes)], **work, trigger_mode="always_last")
    changes = [getattr(knob, "release", knob.input) for knob in knobs.computing]
    gr.on(changes, **work, trigger_mode="always_last")
    stop.click(Session.cancel, session, queue=False, api_visibility="private")


def _wire_display(session: gr.State, knobs: SettingsPanel, line: gr.HTML, view: LinkedView) -> None:
    """Everything that only shows the same exploration in another way."""
    gr.on(
        [knobs.sort_by.input, knobs.color_by.input],
        _redraw,
        [session, knobs.sort_by, knobs.color_by],
        view,
        show_progress_on=line,
        trigger_mode="always_last",
        api_visibility="private",
    )
    view.pair(_pair, session, view, show_progress="hidden", api_visibility="private")


def _choose_sample(name: str) -> list[object]:
    one = sample(name)
    return [
        texts_panel.lines(one.collection),
        one.collection,
        *instructions_panel.fill(one.starters),
    ]


def _suggest(box: str) -> gr.Dataset:
    """The instructions of the sample whose texts stand in the box, or some that fit any texts."""
    shown = (one for one in samples() if texts_panel.lines(one.collection) == box)
    return gr.Dataset(**instructions_panel.suggested(next(shown, None)))


def _run(
    session: Session,
    box: str,
    source: Collection,
    checkpoint: str,
    sort_by: str,
    color_by: str,
    *rest: Any,
    progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds it by this default
) -> Iterator[tuple[object, ...]]:
    """Explores what the page holds; on a problem says so and leaves the page as it is."""
    session.start()
    skip, idle = gr.skip(), gr.Button(interactive=False)
    yield skip, note("", "working"), gr.Button(interactive=True), skip, skip

    def on_stage(stage: str, share: float) -> None:
        session.raise_if_cancelled()
        progress(share, desc=stage)

    try:
        instructions, settings = _asked(rest, sort_by)
        collection = texts_panel.current(box, source)
        on_stage("Loading the checkpoint", 0)
        encoder = session.encoder(checkpoint)
        work = partial(explore, collection, instructions, encoder=encoder, on_stage=on_stage)
        if settings.projection == "umap" and not projection.is_warm():
            session.exploration = work(settings=replace(settings, projection="pca"))
            yield _drawn(session.exploration, color_by), note(UMAP_LATER, "working"), *[skip] * 3
            projection.warm_up()
        session.exploration = work(settings=settings)
    except Cancelled as stopped:
        yield skip, note(str(stopped)), idle, skip, skip
    except InBedderError as error:
        yield skip, note(str(error), "error"), idle, skip, skip
    else:
        found = session.exploration
        choices = settings_panel.display_choices(found, color_by)
        yield _drawn(found, color_by), note(_summary(found)), idle, *choices


def _asked(values: Sequence[Any], sort_by: str) -> tuple[list[str], Settings]:
    """Instructions and settings from the values of the settings' and the instructions' boxes."""
    settings = settings_panel.settings(*values[:N_COMPUTING])
    written = [text for text in values[N_COMPUTING:] if text.strip()]
    instructions = checked_instructions(written or [""])
    order = settings_panel.sort_index(sort_by)
    exists = order is None or order < len(instructions)
    return instructions, replace(settings, sort_by=order) if exists else settings


def _drawn(exploration: Exploration, color_by: str) -> dict[str, Any]:
    known = color_by in exploration.collection.labels
    return payload(exploration, color_by=color_by if known else None)


def _summary(exploration: Exploration) -> str:
    n, cut = len(exploration.collection), int(exploration.views[0].encoding.truncated.sum())
    v = len(exploration.views)
    sentence = f"{n:,} text{'s' * (n != 1)} read under {v} instruction{'s' * (v != 1)}."
    if cut:
        sentence += f" {cut:,} too long for the checkpoint: the end was not read."
    return " ".join((sentence, exploration.collection.note)).strip()


def _redraw(session: Session, sort_by: str, color_by: str) -> dict[str, Any]:
    exploration = cast(Exploration, session.exploration)
    index = settings_panel.sort_index(sort_by)
    if index != exploration.settings.sort_by:
        exploration = session.exploration = reorder(exploration, index)
    return _drawn(exploration, color_by)


def _pair(session: Session, event: gr.EventData) -> LinkedView:
    """The similarity of two texts under every instruction, when the page doesn't have it."""
    exploration = cast(Exploration, session.exploration)
    i, j = int(event.i), int(event.j)
    pairs = [float(cosine(view.vectors[[i, j]])[0, 1]) for view in exploration.views]
    return LinkedView(pair_similarity={"i": i, "j": j, "similarity": pairs})
