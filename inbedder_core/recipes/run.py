"""A training run: the model, what it is to become, and the step that it is at."""

import copy
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from inbedder_core.encoder import InBedder
from inbedder_core.errors import InputError
from inbedder_core.prompts import Prompt, PromptBuilder
from inbedder_core.recipes.controls import StaticEmbedder, located
from inbedder_core.recipes.mixture import Mixture
from inbedder_core.recipes.objectives import (
    SAME_ANSWER,
    Transformer,
    answer_loss,
    autocast,
    contrast_loss,
    facet_loss,
    standardized,
)
from inbedder_core.recipes.sentences import Example
from inbedder_core.registry import BUNDLED
from inbedder_core.schema import MAX_MASKS, ModelSpec

Objective = Literal["contrast", "mlm"]
MAP_BATCHES = 30  # that the answer map is first fitted on
ROOM = 8  # tokens at least for the text and the special tokens
RIDGE = 0.1  # relative to the mean square of an answer vector's numbers


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run's result.

    Attributes:
        model: Folder, hub name or installed package of the checkpoint to start from.
        teacher: Plain sentence encoder whose mean-pooled vectors stand for answers.
        data: JSONL files, or names of data sets on the hub.
        own_share: Share of blocks written from the grammars, 0 to 1.
        label_share: Share of blocks of labelled texts (`labels`), 0 to 1.
        objective: "contrast" or "mlm".
        steps: Number of optimizer steps.
        batch_size: Examples in a step.
        batch_tokens: Tokens in a micro-batch; changes speed only.
        max_length: Longest prompt in tokens; longer texts are cut.
        learning_rate: Peak of the transformer's; the head and the answer map take `head_rate`.
        head_rate: Peak of the head's.
        weight_decay: Of matrices.
        warmup: Share of the steps during which the rates rise.
        decay: Share of the steps, at the end, during which they fall to 0.
        temperature: Of the contrast.
        answer_weight: Weight of the answer's cross-entropy.
        vector_weight: Weight of the contrast against the answers' vectors.
        text_weight: Weight of the contrast between the texts of a batch.
        pull_weight: Weight of the cosine distance between embeddings and their answers' vectors.
        facet_weight: Weight of the contrast between texts that were asked the same.
        facet_temperature: Of that contrast; above `temperature`, because a high one is not content
            until texts with the same answer lie close together.
        masks: Numbers of masks to train with; one of them is drawn for each step.
        average: Decay per step of the running average of the weights, which is what is saved.
        seed: Seed of every choice.
    """

    model: str = BUNDLED.source
    teacher: str = ""
    data: tuple[str, ...] = ()
    own_share: float = 0.5
    label_share: float = 0.0
    objective: Objective = "contrast"
    steps: int = 4000
    batch_size: int = 128
    batch_tokens: int = 1024
    max_length: int = 96
    learning_rate: float = 1.5e-4
    head_rate: float = 4e-4
    weight_decay: float = 0.01
    warmup: float = 0.03
    decay: float = 0.4
    temperature: float = 0.05
    answer_weight: float = 1.0
    vector_weight: float = 1.0
    text_weight: float = 0.5
    pull_weight: float = 1.0
    facet_weight: float = 1.0
    facet_temperature: float = 0.3
    masks: tuple[int, ...] = (3, 3, 3, 3, 3, 3, 1, 2, 4, 5)
    average: float = 0.997
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what can't be trained with.

        Raises:
            InputError: A setting is out of its range.
        """
        if self.objective not in get_args(Objective):
            allowed = " or ".join(get_args(Objective))
            raise InputError(f"The objective must be {allowed}, not {self.objective!r}.")
        for name in ("steps", "batch_size", "batch_tokens", "max_length", "warmup", "decay"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}.")
        if not 0 <= self.own_share <= 1:
            raise InputError(f"own_share must be from 0 to 1, not {self.own_share}.")
        if not 0 <= self.label_share <= 1 - self.own_share:
            raise InputError(
                "label_share must be from 0 to what own_share leaves of 1, "
                f"not {self.label_share} beside {self.own_share}."
            )
        if not self.masks or not all(1 <= n <= MAX_MASKS for n in self.masks):
            raise InputError(f"masks must be numbers from 1 to {MAX_MASKS}, not {self.masks}.")


class Run:
    """A training run: the model, its average, the optimizer, and the step that they are at."""

    def __init__(
        self, recipe: Recipe, mixture: Mixture, folder: Path, device: str = "auto"
    ) -> None:
        """Loads the starting checkpoint, or what an earlier run left in the folder.

        Args:
            recipe: What to do.
            mixture: What to train on.
            folder: Where the state is kept.
            device: See `InBedder`.

        Raises:
            InputError: The starting checkpoint can't be loaded.
            CheckpointError: Its architecture is not supported.
        """
        torch.manual_seed(recipe.seed)
        self.recipe, self.mixture, self.folder = recipe, mixture, folder
        self.encoder = load_start(recipe.model, device)
        self.model, self.head = self.encoder.model.train(), self.encoder.head
        self.device = self.encoder.device
        self.tokenizer = self.encoder.tokenizer
        self.prompts = PromptBuilder(
            self.tokenizer, "card", min(recipe.max_length, self.encoder.max_length)
        )
        self.tokens: dict[str, list[int]] = {}
        self.vectors: dict[str, Tensor] = {}
        self.map: torch.nn.Module = torch.nn.Identity()  # answers' vectors -> embeddings
        if recipe.objective == "contrast":
            answers = mixture.answers()
            table = self._answer_vectors(answers)
            self.vectors = dict(zip(answers, table, strict=True))
            self.map = torch.nn.Linear(table.shape[1], self.encoder.dim).to(self.device)
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        self.transformer = Transformer(self.encoder, recipe.batch_tokens, threads)
        self.optimizer = self._optimizer()
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.onward: list[Callable[[], None]] = []  # gradients' ways into the transformer
        self.step = 0
        if not self._resume() and recipe.objective == "contrast":
            self._fit_map()

    def _answer_vectors(self, answers: Sequence[str]) -> Tensor:
        """The answers' vectors (n, d) of unit length, computed once for a folder."""
        teacher = self.recipe.teacher or self.recipe.model
        key = hashlib.sha256("\n".join([teacher, *answers]).encode()).hexdigest()[:16]
        path = self.folder / f"answers-{key}.safetensors"
        if not path.exists():
            embed = StaticEmbedder.from_pretrained(teacher)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.encoder.dtype != torch.float32):
                vectors = torch.from_numpy(embed(answers, batch_size=256))
            save_file({"vectors": normalize(vectors, dim=-1)}, path)
        return load_file(path)["vectors"].to(self.device)

    @torch.no_grad()
    def _fit_map(self) -> None:
        """Fits the answer map to the model as it is (ridge regression).

        A random map would first pull a model that can answer already somewhere else.
        """
        answers, found = [], []
        for step in range(MAP_BATCHES):
            examples = self._batch(-1 - step)
            answers.append(torch.stack([self.vectors[each.answer] for each in examples]))
            found.append(self._means(examples, n_masks=3)[0])
            self.onward.clear()  # no way back is needed
        vectors, embeddings = torch.cat(answers), standardized(torch.cat(found))  # (m, d) each
        vectors = torch.cat([vectors, torch.ones_like(vectors[:, :1])], 1)
        square = vectors.T @ vectors
        square.diagonal().add_(RIDGE * len(vectors) / vectors.shape[1])
        solved = torch.linalg.solve(square, vectors.T @ embeddings)
        self.map.load_state_dict({"weight": solved[:-1].T, "bias": solved[-1]})

    def _optimizer(self) -> torch.optim.Optimizer:
        recipe = self.recipe
        body = {id(each) for each in self.head.backbone.parameters()}
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for each in [*self.model.parameters(), *self.map.parameters()]:
            groups.setdefault((id(each) in body, each.ndim > 1), []).append(each)
        return torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "lr": recipe.learning_rate if in_body else recipe.head_rate,
                    "weight_decay": recipe.weight_decay if is_matrix else 0.0,
                }
                for (in_body, is_matrix), parameters in groups.items()
            ],
            betas=(0.9, 0.98),
            fused=True,
        )

    def advance(self) -> float:
        """Takes one step and returns its loss."""
        recipe, fraction = self.recipe, self.step / self.recipe.steps
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)  # dropout, where a model has it
        scale = min(1.0, (fraction + 1e-9) / recipe.warmup, (1 - fraction) / recipe.decay)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * scale
        examples = self._batch(self.step)
        loss = self._mlm(examples) if recipe.objective == "mlm" else self._contrast(examples)
        loss.backward()  # type: ignore[no-untyped-call]
        for onward in self.onward:
            onward()
        self.onward.clear()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        kept = min(recipe.average, self.step / (self.step + 10))
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - kept)
        return float(loss.detach())

    def _contrast(self, examples: Sequence[Example]) -> Tensor:
        recipe = self.recipe
        n_masks = random.Random(f"masks {recipe.seed}/{self.step}").choice(recipe.masks)
        means, logits = self._means(examples, n_masks)
        words = [each.answer for each in examples]
        embeddings = standardized(means)
        unmapped = torch.stack([self.vectors[word] for word in words])
        targets = normalize(self.map(unmapped), dim=-1)
        similarity = unmapped @ unmapped.T  # (b, b), of the frozen vectors
        alone = torch.eye(len(words), dtype=torch.bool, device=self.device)
        others = similarity.masked_fill(alone, -torch.inf)
        # A text whose answer no other text of the batch shares has nothing to find there.
        paired = others.max(1).values > SAME_ANSWER
        by_answers = answer_loss(logits, [self._ids(word) for word in words])
        by_vectors = contrast_loss(embeddings, targets, similarity, recipe.temperature)
        away = 1 - (embeddings * targets).sum(-1).mean()
        loss = recipe.answer_weight * by_answers + recipe.vector_weight * by_vectors
        loss = loss + recipe.pull_weight * away
        if recipe.text_weight and paired.any():
            loss = loss + recipe.text_weight * contrast_loss(
                embeddings[paired], embeddings, others[paired], recipe.temperature
            )
        if recipe.facet_weight:
            facets = [each.facet for each in examples]
            by_facet = facet_loss(embeddings, facets, others, recipe.facet_temperature)
            loss = loss if by_facet is None else loss + recipe.facet_weight * by_facet
        return loss

    def _batch(self, step: int) -> list[Example]:
        """The examples of a step, without those whose question leaves hardly room for a text."""
        examples = self.mixture.batch(step, self.recipe.batch_size)
        questions = self.tokenizer([each.question for each in examples], add_special_tokens=False)[
            "input_ids"
        ]
        longest = self.prompts.max_length - MAX_MASKS - ROOM
        return [
            example for example, ids in zip(examples, questions, strict=True) if len(ids) <= longest
        ]

    def _means(self, examples: Sequence[Example], n_masks: int) -> tuple[Tensor, Tensor]:
        """The means over the masks (b, d) after the head's transform, and their logits."""
        prompts = self.prompts.build(
            [each.text for each in examples], [each.question for each in examples], n_masks
        )
        states = self._states(prompts, n_masks)
        with autocast(self.encoder):
            means = self.head.transform(states).float().mean(1)
            return means, self.head.decode(means)

    def _mlm(self, examples: Sequence[Example]) -> Tensor:
        """The published objective: mean cross-entropy over the answers' tokens at their masks."""
        losses, count = [], 0
        by_length: dict[int, list[Example]] = {}
        for each in examples:
            by_length.setdefault(len(self._ids(each.answer)), []).append(each)
        for n_masks, group in by_length.items():
            prompts = self.prompts.build(
                [each.text for each in group], [each.question for each in group], n_masks
            )
            states = self._states(prompts, n_masks)
            with autocast(self.encoder):
                logits = self.head.decode(self.head.transform(states))
            wanted = torch.tensor([self._ids(each.answer) for each in group], device=self.device)
            losses.append(
                cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), reduction="sum")
            )
            count += wanted.numel()
        return torch.stack(losses).sum() / count

    def _states(self, prompts: Sequence[Prompt], n_masks: int) -> Tensor:
        states, onward = self.transformer(prompts, n_masks)
        self.onward.append(onward)
        return states

    def _ids(self, answer: str) -> list[int]:
        if answer not in self.tokens:
            ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
            self.tokens[answer] = ids[:8] or [self.tokenizer.unk_token_id]
        return self.tokens[answer]

    def save(self) -> None:
        """Writes ``state.pt`` in one stroke: a kill leaves the old one or the new one."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "map": self.map.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, self.folder / "state.tmp")
        (self.folder / "state.tmp").rename(self.folder / "state.pt")

    def _resume(self) -> bool:
        """Goes back to the saved step, if there is one, and says whether there was."""
        path = self.folder / "state.pt"
        if found := path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.step = state["step"]
            self.model.load_state_dict(state["model"])
            self.map.load_state_dict(state["map"])
            self.average = state["average"]
            self.optimizer.load_state_dict(state["optimizer"])
        return found

    def export(self, folder: Path) -> None:
        """Writes the averaged model as a half-precision checkpoint folder."""
        self.averaged().model.half().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def averaged(self) -> InBedder:
        """The averaged model as an encoder."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.average)
        return InBedder(model, self.tokenizer, self.encoder.spec, device=str(self.device))


def load_start(name_or_path: str, device: str) -> InBedder:
    """Loads the checkpoint to start from; a head that it lacks is initialised."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    source = located(name_or_path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModelForMaskedLM.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise InputError(f"The model {name_or_path} can't be loaded: {error}") from error
    for module in model.modules():  # small models and a single epoch need none
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    spec = ModelSpec(name_or_path, name_or_path)
    encoder = InBedder(model, tokenizer, spec, device=device)
    if encoder.dtype == torch.float16:  # whose small gradients would vanish
        encoder.dtype = torch.bfloat16
    return encoder
