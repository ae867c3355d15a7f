"""The known checkpoints, and what may be loaded."""

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inbedder_core.errors import CheckpointError
from inbedder_core.schema import ModelSpec

ASSETS = Path(__file__).parents[1] / "assets"

BUNDLED = ModelSpec(
    name="inbedder-minilm-l6",
    source=str(ASSETS / "inbedder-minilm-l6"),
    title="Bundled: MiniLM, 6 layers, ready at once",
    parameters=22_700_000,
    license="Apache-2.0",
)

CHECKPOINTS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        BUNDLED,
        ModelSpec(
            name="KomeijiForce/inbedder-roberta-large",
            source="KomeijiForce/inbedder-roberta-large",
            revision="main",
            title="The paper's RoBERTa-large, as on its model card",
            parameters=355_000_000,
            size_mb=1_420,
        ),
        ModelSpec(
            name="BrandonZYW/roberta-large-InBedder",
            source="BrandonZYW/roberta-large-InBedder",
            method="repository",
            revision="main",
            title="The paper's RoBERTa-large, as in its repository",
            parameters=355_000_000,
            size_mb=1_420,
        ),
    )
}

ANY_CHECKPOINT = "INBEDDER_ANY_CHECKPOINT"
"""Set this environment variable to 1 to let the page load any local folder or hub name."""


def resolve(name_or_path: str | Path = BUNDLED.name, revision: str | None = None) -> ModelSpec:
    """Finds the checkpoint that a name, a local folder or a hub repository means.

    Args:
        name_or_path: A name in `CHECKPOINTS`, a local folder, or ``owner/name`` on the hub.
        revision: Branch, tag or commit on the hub, in place of the registry's.

    Returns:
        The checkpoint; one that is not in the registry is read with the card's method.

    Raises:
        CheckpointError: The name is none of the three.
    """
    name = str(name_or_path)
    if name in CHECKPOINTS:
        known = CHECKPOINTS[name]
        return known if revision is None else replace(known, revision=revision)
    if name and Path(name).is_dir():
        return ModelSpec(name=Path(name).resolve().name, source=name)
    if name.count("/") == 1 and not name.startswith((".", "/")):
        return ModelSpec(name=name, source=name, revision=revision)
    raise CheckpointError(
        f"There is no checkpoint {name!r}. Use one of {', '.join(CHECKPOINTS)}, a local folder, "
        "or the owner/name of a masked language model on the Hugging Face Hub."
    )


def allowed(name: str) -> ModelSpec:
    """Like `resolve`, for names that come from visitors: only the registry, unless opened up.

    Args:
        name: What the visitor chose.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: The name is not in the registry and `ANY_CHECKPOINT` is not set.
    """
    if name in CHECKPOINTS or os.environ.get(ANY_CHECKPOINT) == "1":
        return resolve(name)
    raise CheckpointError(
        f"This app doesn't load {name!r}. Choose one of {', '.join(CHECKPOINTS)}; whoever runs the "
        f"app can allow others with {ANY_CHECKPOINT}=1."
    )


def load(spec: ModelSpec) -> tuple[Any, Any]:
    """Loads a checkpoint's model, in float32, and its tokenizer.

    Raises:
        CheckpointError: It is not here and can't be fetched, or is no masked language model.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    where: dict[str, Any] = {
        "revision": spec.revision or "main",
        "trust_remote_code": False,
        "local_files_only": Path(spec.source).is_dir() or not _hub_answers(),
    }
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.source, **where)
        model = AutoModelForMaskedLM.from_pretrained(
            spec.source, use_safetensors=True, dtype="float32", **where
        )
    except (OSError, ValueError) as error:
        raise CheckpointError(_why_not_loaded(spec)) from error
    return model, tokenizer


def _hub_answers(timeout: float = 3.0) -> bool:
    """Whether the hub can be reached; its client would retry for most of a minute to say no."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout).close()
    except OSError:
        return "HTTPS_PROXY" in os.environ or "https_proxy" in os.environ
    return True


def _why_not_loaded(spec: ModelSpec) -> str:
    size = f" ({spec.size_mb / 1000:.1f} GB)" if spec.size_mb else ""
    return (
        f"The checkpoint {spec.name}{size} can't be loaded: it is not in the local cache and the "
        "Hugging Face Hub can't be reached, or it isn't a masked language model in safetensors. "
        f"Check the name and the connection, or use {BUNDLED.name}, which needs no download."
    )
