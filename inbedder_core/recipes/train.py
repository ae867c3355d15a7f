"""Trains a masked language model to answer: ``python -m inbedder_core.recipes.train``.

Starts from any BERT-like checkpoint (a plain encoder gets a fresh head) and question-answer
records, and writes a checkpoint folder that transformers and `InBedder` load. Two objectives:

* ``mlm``, as published: as many masks as the answer has tokens, each predicts its own.
* ``contrast``, ours: the mean over a few masks predicts all the answer's tokens at once, and the
  embedding finds the vector of its answer (of a frozen sentence encoder) among those of the batch,
  and other texts with the same answer among the batch's texts.

A batch depends on the seed and its step alone, and everything else is in ``state.pt``: killed at
any moment, the same command goes on from the last saved step as if nothing had happened.
"""

import argparse
import csv
import dataclasses
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inbedder_core.encoder import InBedder
from inbedder_core.errors import InBedderError, InputError
from inbedder_core.recipes import labels, sentences
from inbedder_core.recipes.evaluate import facets
from inbedder_core.recipes.mixture import Mixture, from_hub, read
from inbedder_core.recipes.run import Recipe, Run

VALIDATION_TEXTS = 150


def train(
    recipe: Recipe,
    folder: Path,
    *,
    save_every: int = 100,
    log_every: int = 25,
    validation: Path | None = None,
    validate_every: int = 500,
    device: str = "auto",
) -> InBedder:
    """Trains, or goes on training, and writes the checkpoint.

    Args:
        recipe: What to do.
        folder: Where ``state.pt``, ``log.csv`` and ``recipe.json`` go; the checkpoint itself goes
            to its subfolder ``checkpoint``.
        save_every: Steps between two saved states.
        log_every: Steps between two lines of log.
        validation: A folder of labelled sets, as `evaluate` reads it.
        validate_every: Steps between two scores on it.
        device: See `InBedder`.

    Returns:
        The averaged model.

    Raises:
        InputError: The recipe or the data can't be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    resolved = json.dumps(dataclasses.asdict(recipe), indent=2) + "\n"
    (folder / "recipe.json").write_text(resolved, encoding="utf-8")
    sources = [read(Path(name)) if Path(name).exists() else from_hub(name) for name in recipe.data]
    texts = (group[0].text for source in sources for group in source.groups)
    mixture = Mixture(
        sources,
        sentences.names(),
        recipe.own_share,
        recipe.seed,
        labels.collections(texts) if recipe.label_share else (),
        recipe.label_share,
    )
    run = Run(recipe, mixture, folder, device)
    started, first, losses = time.monotonic(), run.step, []
    while run.step < recipe.steps:
        losses.append(run.advance())
        done = run.step == recipe.steps
        if done or run.step % log_every == 0:
            speed = (run.step - first) / (time.monotonic() - started)
            line = {
                "step": run.step,
                "loss": round(math.fsum(losses) / len(losses), 4),
                "examples_per_second": round(speed * recipe.batch_size, 1),
                "minutes_left": round((recipe.steps - run.step) / speed / 60, 1),
            }
            _log(folder / "log.csv", line)
            losses = []
        if done or run.step % save_every == 0:
            run.save()
        if validation and (done or run.step % validate_every == 0):
            report = facets(run.averaged().encode, validation, limit=VALIDATION_TEXTS)
            scores = {"V": round(float(report.v[0]), 1), "T": round(float(report.t[0]), 1)}
            _log(folder / "scores.csv", {"step": run.step, **scores})
    run.export(folder / "checkpoint")
    (folder / "checkpoint" / "recipe.json").write_text(resolved, encoding="utf-8")
    return run.averaged()


def _log(path: Path, line: dict[str, Any]) -> None:
    """Prints a line and adds it to a table."""
    print("  ".join(f"{key} {value}" for key, value in line.items()), flush=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, line)
        if new:
            writer.writeheader()
        writer.writerow(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recipe", type=Path, help="a recipe.json to start from")
    for field in dataclasses.fields(Recipe):
        many = field.name in ("data", "masks")
        kind = int if field.name == "masks" else str if many else type(field.default)
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            type=kind,
            nargs="*" if many else None,
            help=argparse.SUPPRESS if field.default is dataclasses.MISSING else f"{field.default}",
        )
    parser.add_argument("--out", type=Path, default=Path("build/train"))
    parser.add_argument("--validation", type=Path, help="folder of labelled sets, see evaluate")
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--validate-every", type=int, default=500)
    parser.add_argument("--device", default="auto")
    return parser


def _recipe(args: argparse.Namespace) -> Recipe:
    """The options over the recipe file over the defaults."""
    settings: dict[str, Any] = {}
    if args.recipe:
        try:
            settings = json.loads(args.recipe.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"The recipe {args.recipe} can't be read: {error}") from error
    known = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := sorted(settings.keys() - known):
        raise InputError(f"The recipe {args.recipe} has unknown settings: {', '.join(unknown)}.")
    given = {name: getattr(args, name) for name in known if getattr(args, name) is not None}
    for name, value in {**settings, **given}.items():
        settings[name] = tuple(value) if isinstance(value, list) else value
    return Recipe(**settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the command line and trains."""
    args = _parser().parse_args(argv)
    try:
        train(
            _recipe(args),
            args.out,
            save_every=args.save_every,
            validation=args.validation,
            validate_every=args.validate_every,
            device=args.device,
        )
    except InBedderError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
