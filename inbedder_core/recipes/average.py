"""Averages the weights of checkpoints: ``python -m inbedder_core.recipes.average``.

Where training goes on from the same beginning, the average of the weights does about as well as all
of the checkpoints asked together, for the price of one (Wortsman et al. 2022, "Model soups").
"""

import argparse
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from inbedder_core.errors import InBedderError, InputError

WEIGHTS = "model.safetensors"
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")


def average(shares: Mapping[Path, float], folder: Path) -> None:
    """Writes the average of checkpoints of one architecture as a checkpoint.

    Args:
        shares: Folder of a checkpoint -> its share; the shares are divided by their sum.
        folder: Where it goes; configuration, tokenizer and precision are those of the first.

    Raises:
        InputError: A checkpoint can't be read or has other weights than the first; the shares
            add up to nothing.
    """
    total = math.fsum(shares.values())
    if not shares or not total > 0:
        raise InputError(f"The shares must add up to more than 0, not to {total:g}.")
    first, *others = [(path, _weights(path), share / total) for path, share in shares.items()]
    path, weights, share = first
    mean = {name: share * tensor.double() for name, tensor in weights.items()}
    for other, theirs, part in others:
        if {name: tensor.shape for name, tensor in theirs.items()} != {
            name: tensor.shape for name, tensor in weights.items()
        }:
            raise InputError(f"{other} has other weights than {path}, so they have no average.")
        for name, tensor in theirs.items():
            mean[name] += part * tensor.double()
    folder.mkdir(parents=True, exist_ok=True)
    for name in BESIDE:
        if (path / name).exists() and not (folder / name).exists():
            shutil.copy(path / name, folder / name)
    rounded = {name: tensor.to(weights[name].dtype) for name, tensor in mean.items()}
    save_file(rounded, folder / WEIGHTS, metadata={"format": "pt"})


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError(f"There is no {WEIGHTS} to read in {path}: {error}") from error


def _share(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition("=")
    try:
        return Path(path), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not FOLDER=SHARE") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the command line and averages."""
    parser = argparse.ArgumentParser(prog="average", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shares", nargs="+", type=_share, metavar="FOLDER=SHARE")
    parser.add_argument("--out", type=Path, required=True, help="folder of the average")
    args = parser.parse_args(argv)
    try:
        average(dict(args.shares), args.out)
    except InBedderError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
