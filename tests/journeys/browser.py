"""The browser of the journeys: finds a Chromium, and brings one where there is none.

`python tests/journeys/browser.py` prints the path of the executable.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# WebGL without a graphics card, and not a word to any other machine.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
DARK = "/?__theme=dark"


class NoBrowserError(Exception):
    """There is no browser; the message says in one sentence what to do."""


def find_browser() -> str | None:
    """The path of a Chromium that runs: $CHROMIUM, one on the PATH, or Playwright's own."""
    if named := os.environ.get("CHROMIUM"):
        if not runs(named):
            raise NoBrowserError(f"CHROMIUM is set to {named!r}, which does not run as a Chromium.")
        return named
    for name in NAMES:
        if (path := shutil.which(name)) and runs(path):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if runs(own) else None


def runs(path: str) -> bool:
    """Whether a file is a Chromium that Playwright can drive."""
    try:
        if is_snap(Path(path)):
            return False
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and "chrom" in asked.stdout.lower()


def is_snap(path: Path) -> bool:
    """Whether this is Ubuntu's snap, whose confinement keeps Playwright out."""
    with path.open("rb") as file:
        return path.resolve().name == "snap" or b"/snap/bin/" in file.read(4096)


def bring_browser() -> str:
    """The path of a Chromium, installed now if there is none; installers write to stderr."""
    for step in (None, *ways_to_install()):
        if step:
            print("Installing Chromium for the browser journeys.", file=sys.stderr)
            if subprocess.run(step, shell=True, stdout=sys.stderr).returncode:
                continue
        if found := find_browser():
            return found
    raise NoBrowserError(
        "No Chromium or Chrome was found and none could be installed: install one and name it"
        " with CHROMIUM=/path/to/chromium, or leave the browser journeys out with JOURNEYS=0."
    )


def ways_to_install() -> list[str]:
    """Shell commands that may bring a browser, the best first."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    apt = root and shutil.which("apt-get") is not None
    # Ubuntu's chromium package is only a pointer to the snap.
    debian = apt and platform.freedesktop_os_release().get("ID") == "debian"
    by_apt = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && "
        "apt-get -qq install -y --no-install-recommends chromium fonts-liberation >/dev/null"
    )
    by_playwright = f'"{sys.executable}" -m playwright install chromium'
    return [*([by_apt] if debian else []), by_playwright + (" --with-deps" if apt else "")]


if __name__ == "__main__":
    try:
        print(bring_browser())
    except NoBrowserError as error:
        sys.exit(str(error))
