"""The tab Explore: texts and instructions on the left, the linked view on the right."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from traceback import format_tb
from typing import Any, cast

import gradio as gr

from inbedder_core import projection
from inbedder_core.errors import Cancelled, InBedderError
from inbedder_core.exploration import MAX_INSTRUCTIONS, checked_instructions, explore, reorder
from inbedder_core.payload import payload
from inbedder_core.samples import Sample, samples
from inbedder_core.schema import Collection, Exploration, Settings
from inbedder_core.similarity import cosine
from ui import instructions_panel, notice, settings_panel, texts_panel
from ui.instructions_panel import InstructionsPanel
from ui.linked_view import LinkedView
from ui.notice import note
from ui.session import Session, warm_up
from ui.settings_panel import SettingsPanel
from ui.texts_panel import Kept, TextsPanel

logger = logging.getLogger(__name__)

N_COMPUTING = 7
"""Number of components in `SettingsPanel.computing`."""

N_INSTRUCTION_PARTS = 2 + 2 * MAX_INSTRUCTIONS
"""Number of components in `InstructionsPanel.everything`."""

OUR_FAULT = "Something went wrong on our side. Your texts and instructions are still here."
SCROLL_TO_RESULT = """() => {
    const failed = document.querySelector(".notice").dataset.kind === "error";
    const result = document.querySelector("#linked-view");
    if (innerWidth < 760 && !failed) result.scrollIntoView({ behavior: "smooth" });
}"""
UMAP_LATER = "UMAP is getting ready, which takes some seconds once; until then the map is PCA's."


@dataclass(frozen=True)
class Page:
    """The tab's components, for wiring."""

    session: gr.State
    gallery: gr.Radio
    texts: TextsPanel
    asked: InstructionsPanel
    knobs: SettingsPanel
    go: gr.Button
    stop: gr.Button
    kept: gr.State
    back: gr.Button
    line: gr.HTML
    view: LinkedView


def build(opening: Exploration, chosen: Sample) -> None:
    """Lays out the tab and wires it.

    Args:
        opening: What to show before anything was pressed.
        chosen: The sample whose texts and instructions it shows.
    """
    session = gr.State(Session(opening), time_to_live=2 * 3600)
    line = notice.build(elem_id="notice", render=False)
    kept = gr.State(None)
    back = gr.Button(
        "Bring back what I wrote", visible=False, size="sm", elem_id="back", render=False
    )
    gallery = gr.Radio(
        [(f"{one.emoji} {one.title}", one.name) for one in samples()],
        value=chosen.name,
        label="Start from a sample",
        interactive=True,
        elem_id="samples",
    )
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=1, min_width=320, elem_classes="left"):
            text_part = texts_panel.build(chosen.collection, line, kept, back)
            asked = instructions_panel.build(chosen, line)
            with gr.Row():
                go = gr.Button(
                    "Explore", variant="primary", elem_id="explore", scale=3, min_width=110
                )
                stop = gr.Button(
                    "Cancel", interactive=False, elem_id="cancel", scale=1, min_width=80
                )
            line.render()
            back.render()
            asked.suggestions.render()
            knobs = settings_panel.build(opening)
        with gr.Column(scale=4, min_width=320, elem_classes="right"):
            view = LinkedView(payload(opening), elem_id="linked-view")
    page = Page(session, gallery, text_part, asked, knobs, go, stop, kept, back, line, view)
    _wire_work(page)
    _wire_samples(page)
    _wire_display(page)


def _wire_work(page: Page) -> None:
    """Everything that starts or stops the work; a new start stops the one that is going on."""
    knobs, boxes = page.knobs, page.asked.boxes
    changes = [getattr(knob, "release", knob.input) for knob in knobs.computing]
    starts = [page.go.click, *(box.submit for box in boxes), *changes]
    gr.on(starts, Session.cancel, page.session, queue=False, api_visibility="private")
    started = gr.on(starts, **_work(page), trigger_mode="always_last")
    started.then(None, js=SCROLL_TO_RESULT, api_visibility="private")
    page.stop.click(Session.cancel, page.session, queue=False, api_visibility="private")


def _work(page: Page) -> dict[str, Any]:
    """How `_run` is called."""
    knobs, texts, asked = page.knobs, page.texts, page.asked
    shown = [knobs.checkpoint, knobs.sort_by, knobs.color_by]
    return {
        "fn": _run,
        "inputs": [page.session, texts.box, texts.source, *shown, *knobs.computing, *asked.boxes],
        "outputs": [page.view, page.line, page.stop, *shown[1:], *asked.everything],
        "show_progress_on": page.line,
        "concurrency_id": "work",
        "concurrency_limit": 1,
        "api_visibility": "private",
    }


def _wire_samples(page: Page) -> None:
    """The gallery fills the page, keeps what the visitor wrote, and starts the work."""
    texts, asked = page.texts, page.asked
    filled = [texts.box, texts.source, *asked.everything]
    written = [texts.box, texts.source, *asked.boxes]
    kept = page.kept
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    page.gallery.select(Session.cancel, page.session, queue=False, api_visibility="private")
    chosen = page.gallery.select(
        _choose_sample, [kept, *written], [*filled, kept, page.back], **quiet
    )
    chosen.then(**_work(page))
    page.back.click(_bring_back, kept, [*filled, kept, page.back], **quiet)
    texts.box.change(
        _recognise,
        texts.box,
        [page.gallery, asked.suggestions],
        trigger_mode="always_last",
        **quiet,
    )


def _wire_display(page: Page) -> None:
    """Everything that only shows the same exploration in another way."""
    sort_by, color_by, view = page.knobs.sort_by, page.knobs.color_by, page.view
    gr.on(
        [sort_by.input, color_by.input],
        _redraw,
        [page.session, sort_by, color_by],
        view,
        show_progress_on=page.line,
        trigger_mode="always_last",
        api_visibility="private",
    )
    view.pair(_pair, page.session, view, show_progress="hidden", api_visibility="private")


def _choose_sample(event: gr.SelectData, kept: Kept | None, *written: Any) -> list[object]:
    """Fills in a sample; what was written by hand is kept for `_bring_back`.

    The event says which: the gallery's own value may just be on its way to another one.
    """
    one, (box, source, *instructions) = samples()[int(event.index)], written
    if texts_panel.own(box):
        kept = box, source, instructions
    return [
        texts_panel.lines(one.collection),
        one.collection,
        *instructions_panel.fill(one.starters),
        kept,
        gr.Button(visible=kept is not None),
    ]


def _bring_back(kept: Kept) -> list[object]:
    box, source, instructions = kept
    filled: list[object] = [gr.skip()] * N_INSTRUCTION_PARTS
    if instructions is not None:
        shown = max((i for i, text in enumerate(instructions, 1) if text.strip()), default=1)
        filled = instructions_panel.fill(instructions, shown)
    return [box, source, *filled, None, gr.Button(visible=False)]


def _recognise(box: str) -> tuple[str | None, gr.Dataset]:
    """Marks the sample that is in the box, if any, and suggests what fits the texts."""
    one = texts_panel.sample_in(box)
    return None if one is None else one.name, gr.Dataset(**instructions_panel.suggested(one))


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
    yield *_unchanged(note("", "working"), running=True), *_moved_up(rest[N_COMPUTING:])

    def on_stage(stage: str, share: float) -> None:
        session.raise_if_cancelled()
        progress(share, desc=stage)

    same_boxes = [gr.skip()] * N_INSTRUCTION_PARTS
    try:
        instructions, settings = _asked(rest, sort_by)
        collection = texts_panel.current(box, source)
        on_stage("Loading the checkpoint", 0)
        encoder = session.encoder(checkpoint)
        work = partial(
            explore,
            collection,
            instructions,
            encoder=encoder,
            memo=session.memo,
            on_stage=on_stage,
        )
        if settings.projection == "umap" and not projection.is_warm():
            session.exploration = work(settings=replace(settings, projection="pca"))
            yield *_drawn(session, color_by, note(UMAP_LATER, "working"), running=True), *same_boxes
            _wait_for_umap(session)
        session.exploration = found = work(settings=settings)
        yield *_drawn(session, color_by, note(_summary(found))), *same_boxes
    except Cancelled as stopped:
        yield *_unchanged(note(str(stopped))), *same_boxes
    except InBedderError as error:
        yield *_unchanged(note(str(error), "error")), *same_boxes
    except gr.Error as refused:  # by ZeroGPU, which says why
        yield *_unchanged(note(str(refused.message), "error")), *same_boxes
    except Exception as fault:
        # The frames only: an exception's own words may hold a visitor's text.
        logger.error("%s\n%s", type(fault).__name__, "".join(format_tb(fault.__traceback__)))
        yield *_unchanged(note(OUR_FAULT, "error")), *same_boxes


def _wait_for_umap(session: Session) -> None:
    warming = warm_up()
    while warming.is_alive():
        session.raise_if_cancelled()
        warming.join(0.2)


def _unchanged(line: str, *, running: bool = False) -> list[object]:
    """Updates of `_work`'s first outputs that leave the picture as it is."""
    return [gr.skip(), line, gr.Button(interactive=running), gr.skip(), gr.skip()]


def _drawn(session: Session, color_by: str, line: str, *, running: bool = False) -> list[object]:
    """Updates of `_work`'s first outputs that show the session's exploration."""
    found = cast(Exploration, session.exploration)
    choices = settings_panel.display_choices(found, color_by)
    return [_payload(found, color_by), line, gr.Button(interactive=running), *choices]


def _moved_up(boxes: Sequence[str]) -> list[object]:
    """The instructions without blank boxes between them: box C is then also column C."""
    written = [text for text in boxes if text.strip()]
    if written == list(boxes[: len(written)]):
        return [gr.skip()] * N_INSTRUCTION_PARTS
    return instructions_panel.fill(written)


def _asked(values: Sequence[Any], sort_by: str) -> tuple[list[str], Settings]:
    """Instructions and settings from the values of the settings' and the instructions' boxes."""
    settings = settings_panel.settings(*values[:N_COMPUTING])
    written = [text for text in values[N_COMPUTING:] if text.strip()]
    instructions = checked_instructions(written or [""])
    order = settings_panel.sort_index(sort_by)
    exists = order is None or order < len(instructions)
    return instructions, replace(settings, sort_by=order) if exists else settings


def _payload(exploration: Exploration, color_by: str) -> dict[str, Any]:
    known = color_by in exploration.collection.labels
    return payload(exploration, color_by=color_by if known else None)


def _summary(exploration: Exploration) -> str:
    n, cut = len(exploration.collection), int(exploration.views[0].encoding.truncated.sum())
    v = len(exploration.views)
    sentence = f"{n:,} text{'s' * (n != 1)} read under {v} instruction{'s' * (v != 1)}."
    if cut:
        sentence += (
            f" The end of {cut:,} was not read: with the instruction, they are longer than the "
            "checkpoint reads."
        )
    drawn = {view.projection.method for view in exploration.views}
    if exploration.settings.projection == "umap" and "mds" in drawn:
        sentence += f" Mapped by MDS: UMAP needs {projection.LEAST_FOR_UMAP} different texts."
    if exploration.settings.projection == "mds" and "pca" in drawn:
        sentence += f" Mapped by PCA: MDS takes up to {projection.MOST_FOR_MDS:,} texts."
    return " ".join((sentence, exploration.collection.note)).strip()


def _redraw(session: Session, sort_by: str, color_by: str) -> dict[str, Any]:
    index = settings_panel.sort_index(sort_by)
    while (shown := cast(Exploration, session.exploration)).settings.sort_by != index:
        reordered = reorder(shown, index, session.memo)
        if session.exploration is shown:  # no run has brought a new one meanwhile
            session.exploration = reordered
    return _payload(shown, color_by)


def _pair(session: Session, event: gr.EventData) -> LinkedView:
    """The similarity of two texts under every instruction, when the page doesn't have it."""
    exploration = cast(Exploration, session.exploration)
    i, j = int(event.i), int(event.j)
    pairs = [float(cosine(view.vectors[[i, j]])[0, 1]) for view in exploration.views]
    return LinkedView(pair_similarity={"i": i, "j": j, "similarity": pairs})
