"""Takes the README's pictures from the app as it is: `make screenshots`."""

import sys
import tempfile
from pathlib import Path

from browser import DARK, FLAGS, NARROW, find_browser
from playwright.sync_api import Page, sync_playwright
from server import ROOT, running_app

FOLDER = ROOT / "assets" / "screenshots"


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    page.get_by_test_id("map-B").locator(".point").first.wait_for(state="attached")
    page.wait_for_timeout(1500)  # the last marks settle
    return page


def take(url: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        wide = {"width": 1440, "height": 1180}
        page = opened(browser.new_page(viewport=wide), url)
        page.screenshot(path=FOLDER / "explore-light.png")
        page.get_by_test_id("row-2").click()
        page.get_by_test_id("detail").scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        page.screenshot(path=FOLDER / "detail.png")
        page = opened(browser.new_page(viewport=wide), url + DARK)
        page.screenshot(path=FOLDER / "explore-dark.png")
        page = opened(browser.new_page(viewport=NARROW), url)
        page.screenshot(path=FOLDER / "explore-narrow.png", full_page=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder) / "app.log") as url:
        take(url)
    for picture in sorted(FOLDER.iterdir()):
        sys.stdout.write(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
