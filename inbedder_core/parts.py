"""The output of a large run: a folder of Parquet parts that belong together.

A folder holds:
    part-000000.parquet …  the shards, in the order of the rows
    _run.json              what the parts were made with; a run with other settings is refused
    _SUCCESS               empty; there once all parts are
    _lock                  held by the process that writes
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np

from inbedder_core.errors import InputError
from inbedder_core.registry import BUNDLED, resolve
from inbedder_core.rows import Plan
from inbedder_core.schema import Encoding, FloatArray

DType = Literal["auto", "float32", "bfloat16", "float16"]

SUCCESS = "_SUCCESS"
_RUN = "_run.json"
_SAME = 0.999  # cosine of the probe's embeddings by one model on two machines is above this


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be computed, and how.

    Attributes:
        plan: The texts.
        instructions: One or more instructions; the i-th gives the column ``embedding_i``.
        output: Folder of the parts.
        model: See `InBedder.from_pretrained`.
        revision: See `InBedder.from_pretrained`.
        device: See `InBedder`.
        dtype: See `InBedder`; "auto" goes on with what the run began with.
        n_masks: Number of masks, 1 to 10.
        n_answers: Number of answers per text, 0 to 20; the i-th instruction's are in the column
            ``answers_i``.
    """

    plan: Plan
    instructions: tuple[str, ...]
    output: Path
    model: str = BUNDLED.name
    revision: str | None = None
    device: str = "auto"
    dtype: DType = "auto"
    n_masks: int = 3
    n_answers: int = 0

    def __post_init__(self) -> None:
        """Refuses what would give columns of the same name, or none."""
        if not self.instructions:
            raise InputError("There is no instruction yet: give at least one.")
        names = [*self.plan.columns[1:], *self.columns]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise InputError(
                f"The output would have two columns {twice[0]!r}. Keep it once, or rename it."
            )

    @property
    def columns(self) -> list[str]:
        """The columns that are computed; those kept stand behind the first."""
        results = ["embedding", "answers"] if self.n_answers else ["embedding"]
        numbers = range(1, len(self.instructions) + 1)
        return ["row", "truncated", *(f"{name}_{n}" for n in numbers for name in results)]

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides what the rows become, apart from the weights and the arithmetic."""
        spec = resolve(self.model, self.revision)
        return {
            "input": self.plan.digest,
            "rows": self.plan.rows,
            "shard rows": self.plan.shard_rows,
            "text column": self.plan.columns[0],
            "kept columns": list(self.plan.columns[1:]),
            "instructions": list(self.instructions),
            "model": spec.name,
            "revision": spec.revision,
            "method": spec.method,
            "masks": self.n_masks,
            "answers": self.n_answers,
        }

    def part(self, shard: int) -> Path:
        """Where a shard's rows go."""
        return self.output / f"part-{shard:06}.parquet"

    def missing(self) -> list[int]:
        """The shards that are still to be computed."""
        return [n for n in range(len(self.plan.marks)) if not self.part(n).exists()]

    def rows(self, shard: int) -> int:
        """Number of rows in a shard."""
        return min(self.plan.shard_rows, self.plan.rows - shard * self.plan.shard_rows)


@contextmanager
def claimed(job: Job) -> Iterator[None]:
    """Holds the output folder against other processes, after a look at whose it is."""
    output, earlier = job.output, begun(job)
    _compare(job, job.settings, earlier)
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not earlier and any(not path.name.startswith((".", "_")) for path in output.iterdir()):
            raise InputError(f"{output} holds something else. Choose another --output.")
        lock = (output / "_lock").open("w")
    except OSError as error:
        raise InputError(f"{output} can't be made a folder ({error.strerror}).") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"Another process is writing to {output}. Let it finish.") from error
        for left in output.glob(".*.tmp"):  # by a run that was killed
            left.unlink(missing_ok=True)
        yield


def begun(job: Job) -> dict[str, Any]:
    """What the run in the output folder was begun with; empty if there is none."""
    path = job.output / _RUN
    try:
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"{path} is damaged. Choose another --output.") from error
    return found


def begin(job: Job, dtype: str, probe: FloatArray) -> None:
    """Leaves word of how the parts are made, or compares with the word that was left.

    Args:
        job: What is computed.
        dtype: Precision of the arithmetic.
        probe: (d,) embedding of a fixed text, by which the weights are known again.

    Raises:
        InputError: The parts that are there were made otherwise.
    """
    settings = {**job.settings, "dtype": dtype}
    unfinished = _unfinished(job)
    record = {**settings, "probe": [round(float(x), 4) for x in probe]}
    unfinished.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    try:
        # A link is made by one worker only, where moves would overwrite each other.
        (job.output / _RUN).hardlink_to(unfinished)
    except FileExistsError:
        earlier = begun(job)
        _compare(job, settings, earlier)
        if _cosine(probe, np.array(earlier["probe"], np.float32)) < _SAME:
            raise InputError(
                f"{job.output} was begun with other weights of {job.model}. Give those again to "
                "go on with it, or choose another --output."
            ) from None
    finally:
        unfinished.unlink()


def write(job: Job, shard: int, kept: Any, encodings: Sequence[Encoding]) -> None:
    """Writes a part beside its place and then moves it there, so that it is whole or absent.

    Args:
        job: What is computed.
        shard: Number of the shard.
        kept: pyarrow Table of its kept columns.
        encodings: One per instruction.

    Raises:
        InputError: The output can't be written.
    """
    from pyarrow import parquet

    part, unfinished = job.part(shard), _unfinished(job)
    about = {name: value for name, value in begun(job).items() if name != "probe"}
    table = _table(job, shard, kept, encodings)
    table = table.replace_schema_metadata({"inbedder": json.dumps(about, ensure_ascii=False)})
    try:
        with unfinished.open("wb") as file:
            parquet.write_table(table, file, use_dictionary=kept.column_names or False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(part)
    except OSError as error:
        raise InputError(
            f"{part} can't be written ({error.strerror}). Start the command again when it can: it "
            "goes on from there."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _table(job: Job, shard: int, kept: Any, encodings: Sequence[Encoding]) -> Any:
    """The pyarrow Table of a part; every embedding's column carries its instruction."""
    import pyarrow as pa

    start = shard * job.plan.shard_rows
    table = pa.table({"row": pa.array(range(start, start + job.rows(shard)), pa.int64())})
    for name, column in zip(kept.column_names, kept.columns, strict=True):
        table = table.append_column(name, column)
    truncated = np.any([encoding.truncated for encoding in encodings], axis=0)
    table = table.append_column("truncated", pa.array(truncated))
    answer = pa.struct({"text": pa.string(), "probability": pa.float32()})
    for number, instruction in enumerate(job.instructions, 1):
        encoding, about = encodings[number - 1], {"instruction": instruction}
        n, d = encoding.embeddings.shape
        vectors = pa.FixedSizeListArray.from_arrays(encoding.embeddings.reshape(n * d), d)
        field = pa.field(f"embedding_{number}", vectors.type, metadata=about)
        table = table.append_column(field, vectors)
        if job.n_answers:
            words = [[a._asdict() for a in answers] for answers in encoding.answers]
            field = pa.field(f"answers_{number}", pa.list_(answer), metadata=about)
            table = table.append_column(field, pa.array(words, field.type))
    return table


def _compare(job: Job, settings: Mapping[str, Any], earlier: Mapping[str, Any]) -> None:
    others = [name for name, value in settings.items() if earlier and earlier.get(name) != value]
    if others:
        raise InputError(
            f"{job.output} belongs to a run with other settings: {', '.join(others)} (see "
            f"{job.output / _RUN}). Give those again to go on with it, or choose another --output."
        )


def _unfinished(job: Job) -> Path:
    return job.output / f".{uuid4().hex}.tmp"


def _cosine(a: FloatArray, b: FloatArray) -> float:
    return float(a @ b / max(1e-12, float(np.linalg.norm(a)) * float(np.linalg.norm(b))))
