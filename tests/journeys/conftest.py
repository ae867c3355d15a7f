"""The app, a browser and pages for the journeys.

`page` is wide, `narrow_page` a telephone; both are blank at first: `page.goto("/")` opens the
app, `page.goto(DARK)` (from journeys.browser) opens it in the dark theme. A journey fails
if its page logs an error or asks any other machine for anything. The picture of a page whose
test failed is in build/journeys.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from .browser import FLAGS, NARROW, WIDE, find_browser
from .server import ROOT, running_app

expect.set_options(timeout=20_000)  # a busy machine is no fault

HERE = {"127.0.0.1", "localhost"}
FAILED = pytest.StashKey[bool]()


@dataclass
class PageLog:
    """What went wrong in the pages of one test; a journey that expects an entry removes it."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def listen(self, context):
        context.on("console", lambda message: message.type == "error" and self.console(message))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", lambda request: self.request(request.url))
        context.on("page", lambda page: page.on("websocket", lambda web: self.request(web.url)))

    def console(self, message):
        self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def request(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in HERE:
            self.outside.append(url)


@pytest.fixture(scope="session")
def app_url(tmp_path_factory):
    """The URL of the running app. At the end, its log must hold no traceback."""
    log = tmp_path_factory.mktemp("app") / "app.log"
    with running_app(log) as url:
        yield url
        written = log.read_text()
    assert "Traceback (most recent call last)" not in written, written


@pytest.fixture(scope="session")
def browser():
    path = find_browser()
    assert path, "There is no browser: `make test` brings one, JOURNEYS=0 leaves journeys out."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page_log():
    return PageLog()


@pytest.fixture
def open_page(request, browser, app_url, page_log):
    """Opens blank pages: `open_page(viewport=NARROW)`, or with any other option of a context."""
    contexts = []

    def open_page(**options):
        contexts.append(browser.new_context(base_url=app_url, **{"viewport": WIDE, **options}))
        page_log.listen(contexts[-1])
        return contexts[-1].new_page()

    yield open_page
    if request.node.stash.get(FAILED, False):
        take_pictures(request.node.name, contexts)
    for context in contexts:
        context.close()
    assert not page_log.errors, "\n".join(["The page logged errors:", *page_log.errors])
    assert not page_log.outside, "\n".join(["The page asked elsewhere:", *page_log.outside])


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def narrow_page(open_page):
    return open_page(viewport=NARROW)


def take_pictures(name, contexts):
    name = re.sub(r"\W+", "-", name)
    pages = [page for context in contexts for page in context.pages]
    for number, page in enumerate(pages, start=1):
        page.screenshot(path=ROOT / "build" / "journeys" / f"{name}-{number}.png")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report
