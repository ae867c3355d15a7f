"""The command line: ``python -m inbedder_core embed --help``."""

# ruff: noqa: T201 (a command talks to a terminal)

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from inbedder_core.bulk import embed
from inbedder_core.errors import InBedderError
from inbedder_core.parts import SUCCESS, Job
from inbedder_core.registry import BUNDLED, CHECKPOINTS
from inbedder_core.rows import ENDINGS, survey

EPILOG = """
The output is a folder of Parquet parts, which pandas.read_parquet, datasets, DuckDB, Spark and Ray
read as one table: row (counted from 0), the kept columns, truncated (the end of the text did not
fit into the model), and for the n-th instruction embedding_n and, if asked for, answers_n.
A run that was stopped or killed goes on when the same command is given again.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command; what went wrong ends it with one sentence and the status 1.

    Args:
        arguments: What stands behind the program's name; None takes it from the process.
    """
    options = _parser().parse_args(arguments)
    try:
        _embed(options)
    except (InBedderError, OSError) as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print(
            f"\nStopped. What is done is kept in {options.output}; the same command goes on "
            "from there.",
            file=sys.stderr,
        )
        sys.exit(130)


def _embed(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    print(f"Reading {options.input} through once…", file=sys.stderr)
    plan = survey(
        options.input,
        options.text_column,
        options.keep,
        shard_rows=options.shard_rows,
        nulls_as_empty=options.nulls_as_empty,
    )
    job = Job(
        plan,
        tuple(options.instruction),
        options.output,
        model=options.model,
        revision=options.revision,
        device=options.device,
        dtype=options.dtype,
        n_masks=options.masks,
        n_answers=options.answers,
    )
    done = plan.rows - sum(map(job.rows, job.missing()))
    if done:
        print(f"{done:,} of {plan.rows:,} rows are there already.", file=sys.stderr)
    wait = 0.5 if sys.stderr.isatty() else 30  # seconds between two lines of a log
    with tqdm(
        total=plan.rows,
        initial=done,
        unit=" rows",
        mininterval=wait,
        maxinterval=wait,
        delay=0.001,  # not before the first rows: loading the model may draw a bar of its own
    ) as bar:
        embed(
            job,
            engine=options.engine,
            workers=options.workers,
            on_progress=lambda done, _: bar.update(done - bar.n),
        )
    print(f"{plan.rows:,} rows are in {job.output} ({SUCCESS} is there).", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inbedder_core")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "embed",
        help="embed a large file of texts, in constant memory and resumable",
        description="Embeds the texts of a file under one or more instructions.",
        epilog=EPILOG,
    )
    add = command.add_argument
    add("--input", type=Path, required=True, metavar="FILE", help=f"ends in {', '.join(ENDINGS)}")
    add("--text-column", required=True, metavar="NAME", help="the column of the texts")
    add(
        "--instruction",
        action="append",
        required=True,
        metavar="TEXT",
        help="what is asked of every text; may be given several times",
    )
    add("--output", type=Path, required=True, metavar="FOLDER", help="where the parts go")
    add(
        "--keep",
        "--id-column",
        action="append",
        default=[],
        metavar="NAME",
        help="a column that is taken over, such as an id; may be given several times",
    )
    add("--answers", type=int, default=0, metavar="K", help="answers per text, 0 to 20 (default 0)")
    add("--model", default=BUNDLED.name, help=f"{', '.join(CHECKPOINTS)}, a folder or a hub name")
    add("--revision", help="branch, tag or commit on the hub")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps…")
    add("--dtype", default="auto", choices=["auto", "float32", "bfloat16", "float16"])
    add("--masks", type=int, default=3, metavar="M", help="masks, 1 to 10 (default 3)")
    add("--nulls-as-empty", action="store_true", help="read missing texts as empty ones")
    add(
        "--shard-rows",
        type=int,
        default=4096,
        metavar="N",
        help="rows in a part (default 4096); a kill costs at most one part per worker",
    )
    add("--engine", default="local", choices=["local", "ray"], help="where it is computed")
    add("--workers", type=int, metavar="N", help="Ray's workers (default: all cores, or all GPUs)")
    return parser


if __name__ == "__main__":
    main()
