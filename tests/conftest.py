"""Rules for every test: no hub, journeys last, and what is left out is said before and after."""

import os
from pathlib import Path

import hypothesis
import pytest

JOURNEYS = Path(__file__).parent / "journeys"
EXTERNAL_WANTED = os.environ.get("INBEDDER_EXTERNAL") == "1"
SLOW_WANTED = os.environ.get("INBEDDER_SLOW") == "1"
JOURNEYS_WANTED = os.environ.get("JOURNEYS") != "0"

LEFT_OUT = pytest.StashKey[list[str]]()

# Set before any test imports the libraries that read them.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
if not EXTERNAL_WANTED:
    os.environ["HF_HUB_OFFLINE"] = "1"

# No deadline: the machine's cores are shared, so slowness there is no fault. CI repeats itself.
hypothesis.settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("house")


def pytest_collection_modifyitems(config, items):
    """Marks the journeys and puts them last; takes out what this run shall leave out."""
    for item in items:
        if JOURNEYS in item.path.parents:
            item.add_marker("journey")
    items.sort(key=lambda item: item.get_closest_marker("journey") is not None)
    config.stash[LEFT_OUT] = []
    if not JOURNEYS_WANTED:
        leave_out(config, items, "journey", "JOURNEYS=0")
    if not EXTERNAL_WANTED:
        leave_out(config, items, "external", "INBEDDER_EXTERNAL is not 1")
    if not SLOW_WANTED:
        leave_out(config, items, "slow", "INBEDDER_SLOW is not 1")


def leave_out(config, items, marker, why):
    left_out = [item for item in items if item.get_closest_marker(marker)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        config.stash[LEFT_OUT].append(f"LEFT OUT: {len(left_out)} {marker} tests ({why})")


def pytest_report_collectionfinish(config):
    return config.stash[LEFT_OUT]


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def encoder():
    """The bundled checkpoint in float32, loaded once."""
    from inbedder_core.encoder import InBedder

    return InBedder.from_pretrained(dtype="float32")
