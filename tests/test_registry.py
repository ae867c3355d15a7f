"""Names are found, refused with a sentence, and opened up only on request."""

from pathlib import Path

import pytest

from inbedder_core.errors import CheckpointError
from inbedder_core.registry import ANY_CHECKPOINT, BUNDLED, CHECKPOINTS, allowed, resolve


def test_the_default_is_bundled_and_complete():
    spec = resolve()
    assert spec is BUNDLED
    names = {path.name for path in Path(spec.source).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert (Path(spec.source) / "model.safetensors").stat().st_size < 48e6


def test_the_papers_checkpoints_use_their_own_method_and_state_their_size():
    card = resolve("KomeijiForce/inbedder-roberta-large")
    repository = resolve("BrandonZYW/roberta-large-InBedder")
    assert (card.method, repository.method) == ("card", "repository")
    assert card.size_mb > 1000
    assert repository.size_mb > 1000


def test_a_folder_a_hub_name_and_a_revision(tmp_path):
    assert resolve(tmp_path).source == str(tmp_path)
    assert resolve("someone/some-model", "abc").revision == "abc"
    assert resolve("KomeijiForce/inbedder-roberta-large", "abc").revision == "abc"


@pytest.mark.parametrize("name", ["", "nonsense", "/no/such/folder", "../x/y", "a/b/c"])
def test_anything_else_is_refused(name):
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        resolve(name)


def test_visitors_get_the_registry_only(tmp_path, monkeypatch):
    monkeypatch.delenv(ANY_CHECKPOINT, raising=False)
    for name in CHECKPOINTS:
        assert allowed(name).name == name
    for name in ("someone/some-model", str(tmp_path)):
        with pytest.raises(CheckpointError, match="doesn't load"):
            allowed(name)
    monkeypatch.setenv(ANY_CHECKPOINT, "1")
    assert allowed("someone/some-model").name == "someone/some-model"
