"""The real app in a process of its own, as a person starts it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 180  # the first start of a cold machine reads several hundred MB of libraries


@contextlib.contextmanager
def running_app(log: Path) -> Iterator[str]:
    """Starts app.py and yields its URL; all that the app writes goes to the log."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        app = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=environment(port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_answers(app, url, log)
        yield url
    finally:
        app.terminate()
        try:
            app.wait(timeout=10)
        except subprocess.TimeoutExpired:
            app.kill()
            app.wait()


def environment(port: int) -> dict[str, str]:
    """The environment without proxies and without settings of whoever runs the tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
        and not name.startswith(("GRADIO_", "INBEDDER_", "HF_HUB_OFFLINE"))
    }
    return kept | {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "HF_ENDPOINT": "http://127.0.0.1:9",  # nobody listens: no hub, on any machine
        "HF_HUB_CACHE": str(ROOT / "build" / "no-hub-cache"),
        "PYTHONUNBUFFERED": "1",
    }


def wait_until_it_answers(app: subprocess.Popen, url: str, log: Path) -> None:
    """Returns at the first HTTP 200; raises with the app's own words if that does not come."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while app.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), opener.open(url, timeout=10) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    ended = "did not answer in time" if app.poll() is None else f"ended with {app.returncode}"
    raise RuntimeError(f"app.py {ended}. It wrote:\n{log.read_text()}")


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
