"""How smoothly a map follows the mouse: frames, counted in a real browser."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from inbedder_core.recipes.page_times import running_app

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

STEPS = 60
"""Frames of one drag, with a move of the mouse in each."""

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL also where there is no graphics card; the table says who draws.
_FLAGS = ("--no-sandbox", "--enable-unsafe-swiftshader", "--disable-background-networking")
_SECOND = 1000
_PATIENCE = 600 * _SECOND
_WORK = {"ScriptDuration", "RecalcStyleDuration", "LayoutDuration"}
_PASTE = """(box, texts) => {
    box.value = texts;
    box.dispatchEvent(new Event("input", { bubbles: true }));
}"""
_RENDERER = """() => {
    const gl = document.createElement("canvas").getContext("webgl");
    const names = gl?.getExtension("WEBGL_debug_renderer_info");
    return names ? gl.getParameter(names.UNMASKED_RENDERER_WEBGL) : "no WebGL";
}"""
_MAP = "document.querySelector('[data-testid=map-A]')"
_DRAWN = f"(n) => {_MAP}._fullData[0]._length === n"
_LEFT_EDGE = f"() => {_MAP}.layout.xaxis.range[0]"
_DRAG = """([x, y, steps]) => new Promise((resolve) => {
    const frames = [];
    const next = (now) => {
        frames.push(now);
        if (frames.length > steps) return resolve(frames);
        const at = { clientX: x + 2 * frames.length, clientY: y + frames.length };
        document.elementFromPoint(x, y).dispatchEvent(
            new MouseEvent("mousemove", { ...at, bubbles: true, buttons: 1 }));
        requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
})"""


class NoBrowserError(Exception):
    """There is nothing to count frames in; the message says what to install."""


@dataclass(frozen=True)
class Pan:
    """One map, dragged about while another instruction's map stands beside it.

    Attributes:
        n: Number of texts.
        frame_ms: From one frame to the next, the median over the drag.
        longest_ms: The longest.
        work_ms: Scripts, styles and layout for one move of the mouse; the rest is drawing.
    """

    n: int
    frame_ms: float
    longest_ms: float
    work_ms: float


def pans(texts: Sequence[str], sizes: Sequence[int]) -> tuple[str, list[Pan]]:
    """Lets the app explore the first n texts for every n, and pans the first map.

    Args:
        texts: Different texts.
        sizes: Numbers of texts.

    Returns:
        Who draws, in the browser's words, and one `Pan` per size.

    Raises:
        NoBrowserError: Playwright or a Chromium is missing.
        RuntimeError: The app ended or did not answer in time, or the map stood still.
    """
    with _blank_page() as page, running_app() as (url, _):
        page.goto(url)
        page.get_by_test_id("row-0").wait_for()
        renderer: str = page.evaluate(_RENDERER)
        return renderer, [_pan(page, texts[:n]) for n in sizes]


@contextmanager
def _blank_page() -> "Iterator[Page]":
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowserError("pip install playwright") from None
    own = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=own, args=_FLAGS)
        except Error:
            raise NoBrowserError("no Chromium runs; name one with CHROMIUM=/path") from None
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(_PATIENCE)
        yield page
        browser.close()


def _pan(page: "Page", texts: Sequence[str]) -> Pan:
    lines = (" ".join(text.split()) for text in texts)  # a line of the box is a text
    page.locator("#texts-box textarea").evaluate(_PASTE, "\n".join(lines))
    page.locator("#explore").click()
    told = re.compile(rf"^{len(texts):,} texts? read under")
    page.get_by_test_id("notice").filter(has_text=told).wait_for()
    page.wait_for_function(_DRAWN, arg=len(texts))
    plot = page.get_by_test_id("map-A")
    plot.hover()
    plot.locator("[data-title='Pan']").click()
    box = plot.locator(".nsewdrag").bounding_box()
    assert box, "a map has a size"
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 9, y + 9)  # from here on it is a drag
    page.wait_for_timeout(_SECOND)
    start = page.evaluate(_LEFT_EDGE)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = _worked(session)
    frames: list[float] = page.evaluate(_DRAG, [x, y, STEPS])
    worked = _worked(session) - before
    page.mouse.up()
    if page.evaluate(_LEFT_EDGE) == start:
        raise RuntimeError("The map did not follow the mouse.")
    between = [after - one for one, after in pairwise(frames)]
    return Pan(len(texts), median(between), max(between), worked / STEPS)


def _worked(session: "CDPSession") -> float:
    """Milliseconds that scripts, styles and layout have taken so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    seconds = (float(one["value"]) for one in metrics if one["name"] in _WORK)
    return sum(seconds) * _SECOND
