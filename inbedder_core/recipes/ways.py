"""Ways to encode the same texts under one instruction: the published code, other tools, and ours.

Every way begins with strings and ends with the card's embeddings, so tokenising is part of it. All
but ours read the bundled checkpoint as BERT; other tools are asked for only if they are installed.
"""

# mypy: disable-error-code="import-not-found, import-untyped"
# The other tools are optional, so the checks run without them too.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inbedder_core.devices import DType
from inbedder_core.encoder import InBedder
from inbedder_core.heads import HEADS
from inbedder_core.prompts import Prompt, PromptBuilder, padded
from inbedder_core.registry import BUNDLED
from inbedder_core.schema import FloatArray

MASK, N_MASKS = "[MASK]", 3
BATCH = 32
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "first_mask")


@dataclass(frozen=True)
class Work:
    """What every way is asked to do.

    Attributes:
        texts: n different texts, none of them too long for the checkpoint.
        instruction: What is asked of each.
        folder: Where models that another tool needs may be written.
        device: "cpu", "cuda"…
    """

    texts: tuple[str, ...]
    instruction: str
    folder: Path
    device: str = "cpu"


Encode = Callable[[list[str]], FloatArray]
"""From n texts to their embeddings (n, d)."""


@dataclass(frozen=True)
class Way:
    """A way to encode.

    Attributes:
        name: What tables call it.
        load: Makes it ready; must be picklable.
        needs: Packages that it needs beyond ours.
        cpu_only: Whether it has no use for a GPU.
    """

    name: str
    load: Callable[[Work], Encode]
    needs: tuple[str, ...] = ()
    cpu_only: bool = False


def the_card(work: Work) -> Encode:
    """The code of the published model card: all texts in one batch."""
    model, tokenizer = _loaded(work.device)
    return lambda texts: _card(model, tokenizer, texts, work.instruction, N_MASKS)


def plain_batches(work: Work) -> Encode:
    """The same code for `BATCH` texts at a time, in the order in which they come."""
    card = the_card(work)

    def encode(texts: list[str]) -> FloatArray:
        starts = range(0, len(texts), BATCH)
        return np.concatenate([card(texts[start : start + BATCH]) for start in starts])

    return encode


def sentence_transformers(work: Work, dtype: DType) -> Encode:
    """Its ``encode`` on the same pairs, with the card's head in place of mean pooling."""
    from sentence_transformers import SentenceTransformer

    # It loads a transformer only; BERT's pooler would be made up, and computed in vain.
    options = {"dtype": getattr(torch, dtype), "add_pooling_layer": False}
    tool = SentenceTransformer(BUNDLED.source, model_kwargs=options, device=work.device)
    model, tokenizer = _loaded(work.device)
    tool[1] = _AtMasks(HEADS[model.config.model_type](model).transform, tokenizer.mask_token_id)
    question = work.instruction + tokenizer.mask_token * N_MASKS

    def encode(texts: list[str]) -> FloatArray:
        embeddings: FloatArray = tool.encode(
            [(text, question) for text in texts], batch_size=BATCH, show_progress_bar=False
        )
        return embeddings

    return encode


def onnxruntime(work: Work) -> Encode:
    """ONNX Runtime in float32, on batches sorted by length."""
    import onnxruntime as tool

    path = work.folder / "model.onnx"
    _elsewhere(_export_onnx, path)
    session = tool.InferenceSession(path, providers=["CPUExecutionProvider"])
    return _sorted(
        work, lambda inputs: session.run(None, dict(zip(INPUTS, inputs, strict=True)))[0]
    )


def openvino(work: Work, precision: str) -> Encode:
    """OpenVINO, on batches sorted by length; the precision is "f32" or "bf16"."""
    import openvino as tool

    path = work.folder / f"model-{precision}.xml"
    _elsewhere(_export_openvino, path)
    options = {"INFERENCE_PRECISION_HINT": precision}
    compiled = tool.Core().compile_model(path, "CPU", options)
    return _sorted(work, lambda inputs: compiled(inputs)[0])


def ours(work: Work, dtype: DType) -> Encode:
    """`InBedder.encode`."""
    encoder = InBedder.from_pretrained(device=work.device, dtype=dtype)
    return lambda texts: encoder.encode(texts, work.instruction, N_MASKS)


REFERENCE = Way("the card's code", the_card)
"""What the others are compared with, in time and in cosine."""

_ST, _ORT, _OV = ("sentence_transformers",), ("onnxruntime", "onnxscript"), ("openvino",)
WAYS = (
    REFERENCE,
    Way("transformers, batches of 32", plain_batches),
    Way("sentence-transformers", partial(sentence_transformers, dtype="float32"), _ST),
    Way("sentence-transformers, bfloat16", partial(sentence_transformers, dtype="bfloat16"), _ST),
    Way("ONNX Runtime, sorted", onnxruntime, _ORT, cpu_only=True),
    Way("OpenVINO, sorted", partial(openvino, precision="f32"), _OV, cpu_only=True),
    Way("OpenVINO, sorted, bfloat16", partial(openvino, precision="bf16"), _OV, cpu_only=True),
    Way("ours, float32", partial(ours, dtype="float32")),
    Way("ours", partial(ours, dtype="auto")),
)


def prompt_builder() -> PromptBuilder:
    """Turns texts into tokens without padding."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BUNDLED.source)
    return PromptBuilder(tokenizer, BUNDLED.method, tokenizer.model_max_length)


def _loaded(device: str = "cpu") -> tuple[Any, Any]:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model = AutoModelForMaskedLM.from_pretrained(BUNDLED.source, dtype=torch.float32)
    return model.eval().to(device), AutoTokenizer.from_pretrained(BUNDLED.source)


def _card(
    model: Any, tokenizer: Any, input_texts: list[str], instruction: str, n_mask: int
) -> FloatArray:
    """Literal but for the head, which the card writes as RoBERTa's, and for the device."""
    prompts = [instruction + tokenizer.mask_token * n_mask for input_text in input_texts]
    inputs = tokenizer(input_texts, prompts, padding=True, truncation=True, return_tensors="pt")
    inputs = inputs.to(model.device)
    mask = inputs.input_ids.eq(tokenizer.mask_token_id)
    with torch.no_grad():
        outputs = model.base_model(**inputs)
        logits = outputs.last_hidden_state[mask]
        logits = HEADS[model.config.model_type](model).transform(logits)
        logits = logits.reshape(len(input_texts), n_mask, -1)
        logits = logits.mean(1)
        logits = (logits - logits.mean(1, keepdim=True)) / logits.std(1, keepdim=True)
    embeddings: FloatArray = logits.cpu().numpy()
    return embeddings


class _AtMasks(torch.nn.Module):
    """The card's head as the pooling of sentence-transformers."""

    def __init__(self, transform: Callable[[Tensor], Tensor], mask_id: int) -> None:
        super().__init__()
        self.head = [transform]  # in a list, so that it keeps its float32 whatever the model has
        self.mask_id = mask_id

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Adds ``sentence_embedding`` (b, d)."""
        hidden = features["token_embeddings"]  # (b, t, h)
        states = hidden[features["input_ids"] == self.mask_id].float()  # (b * masks, h)
        answers = self.head[0](states).reshape(len(hidden), N_MASKS, -1)  # (b, masks, d)
        return features | {"sentence_embedding": _standardized(answers.mean(1))}


class _Graph(torch.nn.Module):
    """From tokens to embeddings, for other runtimes; see `INPUTS`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, attention: Tensor, types: Tensor, first: Tensor) -> Tensor:
        """(b, t) three times and (b,), the position of the first mask -> (b, d)."""
        hidden = self.model.base_model(
            input_ids=ids, attention_mask=attention, token_type_ids=types
        ).last_hidden_state  # (b, t, h)
        masks = first[:, None] + torch.arange(N_MASKS)  # (b, masks)
        states = hidden.gather(1, masks[:, :, None].expand(-1, -1, hidden.shape[-1]))
        answers = HEADS[self.model.config.model_type](self.model).transform(states)
        return _standardized(answers.mean(1))


def _standardized(answers: Tensor) -> Tensor:
    return (answers - answers.mean(1, keepdim=True)) / answers.std(1, keepdim=True)


def _elsewhere(export: Callable[[Path], None], path: Path) -> None:
    """Exports in a process of its own, so that torch's weights are not in the way's memory."""
    process = get_context("spawn").Process(target=export, args=(path,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{export.__name__} failed; what it said stands above.")


def _example() -> tuple[Tensor, ...]:
    ids, attention = torch.full((2, 16), 5), torch.ones(2, 16, dtype=torch.int64)
    attention[1, 12:] = 0  # padding, so that no exporter takes it for needless
    return ids, attention, torch.zeros_like(ids), torch.tensor([3, 4])


def _export_onnx(path: Path) -> None:
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens")
    table = {0: batch, 1: tokens}
    torch.onnx.export(
        _Graph(_loaded()[0]).eval(),
        _example(),
        path,
        input_names=INPUTS,
        dynamic_shapes=(table, table, table, {0: batch}),
        dynamo=True,
        verbose=False,
    )


def _export_openvino(path: Path) -> None:
    import openvino

    with torch.no_grad():
        model = openvino.convert_model(_Graph(_loaded()[0]).eval(), example_input=_example())
    openvino.save_model(model, path, compress_to_fp16=False)


def _sorted(work: Work, run: Callable[[list[Any]], FloatArray]) -> Encode:
    """Batches of `BATCH` texts of similar length for a runtime that takes NumPy's arrays."""
    builder = prompt_builder()

    def encode(texts: list[str]) -> FloatArray:
        asked = builder.build(texts, [work.instruction] * len(texts), N_MASKS)
        order = sorted(range(len(asked)), key=lambda i: -len(asked[i].input_ids))
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        found = np.concatenate([run(_inputs([asked[i] for i in batch])) for batch in batches])
        embeddings = np.empty_like(found)
        embeddings[order] = found
        return embeddings

    return encode


def _inputs(batch: Sequence[Prompt]) -> list[Any]:
    """`INPUTS`, the prompts padded with 0 to the longest."""
    first = np.array([prompt.first_mask for prompt in batch])
    arrays = padded(batch, 0) | {"first_mask": first}
    return [arrays[name] for name in INPUTS]
