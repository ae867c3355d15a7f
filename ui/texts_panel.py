"""The texts: a box with one text per line, an upload, an editable table.

The box is what will be explored; the others fill it, and so do the samples. Labels stay attached
to their texts.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from inbedder_core import texts
from inbedder_core.errors import InputError
from inbedder_core.samples import Sample, samples
from inbedder_core.schema import Collection
from ui.notice import note


@dataclass(frozen=True)
class TextsPanel:
    """The components that other panels read or fill.

    Attributes:
        box: One text per line.
        source: State: the collection that filled the box, with its labels.
    """

    box: gr.Textbox
    source: gr.State


def one_line(text: str) -> str:
    """A text as one line of the box; to the model a line break is white space like any other."""
    return " ".join(text.split("\n")) if "\n" in text else text


def lines(collection: Collection) -> str:
    """What the box shows for a collection."""
    return "\n".join(map(one_line, collection.texts))


Kept = tuple[str, Collection, list[str] | None]
"""What a visitor wrote: the box, its source, and the instructions if they were replaced too."""


def sample_in(box: str) -> Sample | None:
    """The sample whose texts stand in the box, if it is one."""
    return next((one for one in samples() if lines(one.collection) == box), None)


def own(box: str) -> bool:
    """Whether the box holds something that only the visitor has."""
    return bool(box.strip()) and sample_in(box) is None


def current(box: str, source: Collection) -> Collection:
    """The texts in the box, with the labels that the source has for them.

    Args:
        box: What the visitor sees and may have edited.
        source: The collection that filled the box.

    Returns:
        The source itself if nothing was edited. Otherwise the lines of the box; a line that
        stands in the source keeps its labels, in the order of appearance.
    """
    if box == lines(source):
        return source
    typed = texts.from_lines(box)
    rows: dict[str, list[int]] = {}
    for row, text in reversed(list(enumerate(source.texts))):
        rows.setdefault(one_line(text).strip(), []).append(row)
    known = [rows[text].pop() if rows.get(text) else None for text in typed.texts]
    labels = {
        facet: tuple("" if row is None else values[row] for row in known)
        for facet, values in source.labels.items()
    }
    kept = {facet: values for facet, values in labels.items() if any(values)}
    return Collection(typed.texts, kept, typed.note)


def grid(collection: Collection) -> dict[str, list[str] | list[list[str]]]:
    """A collection as the value of the editable table."""
    columns = zip(collection.texts, *collection.labels.values(), strict=True)
    return {"headers": ["text", *collection.labels], "data": [list(row) for row in columns]}


def from_grid(frame: Any) -> Collection:
    """The collection in the editable table, a pandas DataFrame; rows without text are left out."""
    cells = [[str(cell).strip() for cell in row] for row in frame.fillna("").values.tolist()]
    kept = [row for row in cells if row[0]]
    texts.check([row[0] for row in kept])
    first, *others = zip(*kept, strict=True)
    return Collection(first, dict(zip(map(str, frame.columns[1:]), others, strict=True)))


def build(opening: Collection, notice: gr.HTML, kept: gr.State, back: gr.Button) -> TextsPanel:
    """Lays out the panel.

    Args:
        opening: The texts to start with.
        notice: Where problems are told.
        kept: State: what the visitor wrote before an upload or a sample replaced it.
        back: Brings that back.

    Returns:
        The components that other panels need.
    """
    source = gr.State(opening)
    file = gr.State(None)
    with gr.Tabs(elem_classes="texts"):
        with gr.Tab("Write"):
            box = gr.Textbox(
                lines(opening),
                label="Texts, one per line",
                lines=6,
                max_lines=12,
                elem_id="texts-box",
                placeholder="Paste or write your own texts here, one per line.",
            )
        with gr.Tab("Upload"):
            upload = gr.File(
                label="A file of texts",
                file_types=list(texts.ENDINGS),
                height=135,
                elem_id="upload",
            )
            gr.Markdown(texts.LIMITS, elem_classes="fine-print")
            column = gr.Dropdown([], label="Text column", visible=False, elem_id="text-column")
            facets = gr.Dropdown([], label="Label columns", multiselect=True, visible=False)
        with gr.Tab("Table") as table_tab:
            table = gr.Dataframe(
                grid(opening),
                label="Edit texts and labels",
                max_height=340,
                wrap=True,
                interactive=True,
                elem_id="texts-table",
            )
    count = gr.Textbox(
        _count(opening), container=False, interactive=False, elem_classes="fine-print", lines=1
    )

    filled = [box, source, count, notice]
    columns = [column, facets]
    upload.upload(
        _read,
        [upload, box, source, kept],
        [file, upload, *columns, *filled, kept, back],
        api_visibility="private",
    )
    for choice in columns:
        choice.input(_choose, [file, *columns], filled, api_visibility="private")
    box.change(_recount, [box, source], count, show_progress="hidden", api_visibility="private")
    table_tab.select(_fill_grid, [box, source], table, api_visibility="private")
    table.input(_edited, table, filled, show_progress="hidden", api_visibility="private")
    return TextsPanel(box, source)


def _count(collection: Collection) -> str:
    n = len(collection)
    labelled = f", labelled by {', '.join(collection.labels)}" if collection.labels else ""
    return f"{n:,} text{'s' * (n != 1)}{labelled}"


def _recount(box: str, source: Collection) -> str:
    try:
        return _count(current(box, source))
    except InputError as error:
        return str(error)


def _fill(collection: Collection, message: str = "") -> tuple[str, Collection, str, str]:
    return lines(collection), collection, _count(collection), note(message)


def _refuse(error: InputError) -> tuple[object, object, object, str]:
    return gr.skip(), gr.skip(), gr.skip(), note(str(error), "error")


def _read(path: str | None, box: str, source: Collection, kept: Kept | None) -> tuple[object, ...]:
    """Reads an upload; the file itself is deleted at once."""
    if path is None:
        return (gr.skip(),) * 10
    try:
        table = texts.read_table(path)
        collection = texts.collection(table)
    except InputError as error:
        hidden = gr.update(visible=False)
        return None, None, hidden, hidden, *_refuse(error), gr.skip(), gr.skip()
    finally:
        with contextlib.suppress(OSError):
            Path(path).unlink()
    names = list(table.columns)
    several = len(names) > 1
    message = f"{len(collection):,} texts read. {collection.note} Now press Explore."
    kept = (box, source, None) if own(box) else kept
    return (
        table,
        None,
        gr.Dropdown(names, value=table.text_column, visible=several),
        gr.Dropdown(names, value=list(table.label_columns), visible=several),
        *_fill(collection, " ".join(message.split())),
        kept,
        gr.Button(visible=kept is not None),
    )


def _choose(
    table: texts.Table | None, text_column: str, label_columns: list[str]
) -> tuple[object, ...]:
    if table is None:
        return (gr.skip(),) * 4
    labels = [name for name in label_columns if name != text_column]
    try:
        collection = texts.collection(table, text_column, labels)
    except InputError as error:
        return _refuse(error)
    return _fill(collection, collection.note)


def _fill_grid(box: str, source: Collection) -> object:
    try:
        return grid(current(box, source))
    except InputError:
        return grid(Collection(("",)))


def _edited(frame: Any) -> tuple[object, ...]:
    try:
        return _fill(from_grid(frame))
    except InputError as error:
        return _refuse(error)
