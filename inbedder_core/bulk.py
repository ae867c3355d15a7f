"""Large collections: a file of texts in, a folder of Parquet parts out, in constant memory.

The rows are cut into shards at fixed row numbers. A shard is computed as one unit and its part
appears under its name only when it is complete, so a run that was killed goes on with the shards
whose parts are missing, and what a row becomes does not depend on where the run was cut.
"""

# mypy: disable-error-code="import-not-found"
# Ray is optional, so the checks run without it too.

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from inbedder_core.errors import InBedderError, InputError
from inbedder_core.parts import SUCCESS, Job, begin, begun, claimed, write
from inbedder_core.rows import read
from inbedder_core.schema import Encoding, OnProgress

Engine = Literal["local", "ray"]
Advance = Callable[[int], None]
"""Called with a number of rows that are done in addition."""

_PROBE = "The waiter was slow, but the sushi in New York was wonderful!"


def embed(
    job: Job,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Computes the shards that are missing.

    Args:
        job: What is to be computed.
        engine: "local" computes here, "ray" on the workers of Ray Data.
        workers: Number of Ray's workers, each with one core, or with a GPU if there are any;
            None takes all.
        on_progress: Called with (done, total) rows, those of an earlier run included.

    Raises:
        InputError: The output can't be written or belongs to another run; see also `InBedder`.
        CheckpointError: See `InBedder.from_pretrained`.
    """
    if workers is not None and workers < 1:
        raise InputError(f"There must be at least 1 worker, not {workers}.")
    with claimed(job):
        missing = job.missing()
        total = job.plan.rows
        done = total - sum(map(job.rows, missing))

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            if on_progress is not None:
                on_progress(done, total)

        advance(0)
        if missing and engine == "ray":
            _on_ray(job, missing, workers, advance)
        elif missing:
            mapper = Mapper(job)
            for shard in missing:
                mapper(shard, advance)
        (job.output / SUCCESS).touch()


def _on_ray(job: Job, missing: Sequence[int], workers: int | None, advance: Advance) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError("Ray isn't installed: pip install 'ray[data]'.") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    there = ray.cluster_resources()
    gpus = int(there.get("GPU", 0)) if job.device != "cpu" else 0
    most = gpus or int(there["CPU"])  # more would wait for ever
    size = min(workers or most, most, len(missing))
    # Few blocks of neighbouring shards are read in one go, many keep all workers busy.
    blocks = min(len(missing), 16 * size)
    shards = ray.data.from_items([{"shard": n} for n in missing], override_num_blocks=blocks)
    done = shards.map_batches(
        RayMapper,
        fn_constructor_args=(_absolute(job),),
        batch_size=1,
        num_cpus=1,
        num_gpus=min(1, gpus),
        compute=ray.data.ActorPoolStrategy(size=size),
    )
    for row in done.iter_rows():
        if row["error"]:
            raise InputError(row["error"])
        advance(int(row["rows"]))


def _absolute(job: Job) -> Job:
    """The same job for a process that works in another folder."""
    model = str(Path(job.model).absolute()) if Path(job.model).is_dir() else job.model
    plan = replace(job.plan, path=job.plan.path.absolute())
    return replace(job, plan=plan, output=job.output.absolute(), model=model)


class RayMapper:
    """A `Mapper` as Ray Data wants it: one per worker, from a batch of one shard to its rows."""

    def __init__(self, job: Job) -> None:
        """Only remembers the job: what can fail must be able to say so."""
        self.job = job
        self.mapper: Mapper | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Computes a shard; errors that are meant for people travel as sentences."""
        [shard] = batch["shard"]
        try:
            self.mapper = self.mapper or Mapper(self.job)
            self.mapper(int(shard))
        except InBedderError as error:
            return {"rows": [0], "error": [str(error)]}
        return {"rows": [self.job.rows(int(shard))], "error": [""]}


class Mapper:
    """Computes shards and writes their parts; the same on every engine."""

    def __init__(self, job: Job) -> None:
        """Loads the model, and makes sure that it is the one that the run began with.

        Args:
            job: What is to be computed.

        Raises:
            InputError: The parts that are there were made with other settings.
            CheckpointError: See `InBedder.from_pretrained`.
        """
        from inbedder_core import devices  # torch takes seconds: check the input first
        from inbedder_core.encoder import InBedder

        devices.keep_few_products()
        self.job = job
        dtype = begun(job).get("dtype", "auto") if job.dtype == "auto" else job.dtype
        try:
            self.encoder = InBedder.from_pretrained(job.model, job.revision, job.device, dtype)
        except (RuntimeError, AssertionError) as error:  # torch's words for "no such device"
            if job.device == "auto":
                raise
            why = str(error).partition("\n")[0]
            raise InputError(f"The device {job.device!r} can't be used: {why}") from error
        probes = [self._ask([_PROBE], instruction) for instruction in job.instructions]
        begin(job, str(self.encoder.dtype).removeprefix("torch."), probes[0].embeddings[0])
        self._shards: Iterator[tuple[list[str], Any]] = iter(())
        self._next = -1

    def __call__(self, shard: int, advance: Advance = lambda rows: None) -> None:
        """Computes a shard and writes its part, unless it is there already.

        Args:
            shard: Number of the shard.
            advance: Called between batches.

        Raises:
            InputError: The input has changed, or the output can't be written.
        """
        if self.job.part(shard).exists():
            return
        if shard != self._next:
            self._shards = read(self.job.plan, shard)
        self._next = shard + 1
        texts, kept = next(self._shards, ([], None))
        if len(texts) != self.job.rows(shard):
            raise InputError(f"{self.job.plan.path} has changed since it was first read.")
        write(self.job, shard, kept, self._encode(texts, advance))

    def _encode(self, texts: Sequence[str], advance: Advance) -> list[Encoding]:
        told, parts = 0, len(self.job.instructions)
        encodings = []
        for part, instruction in enumerate(self.job.instructions):

            def tell(done: int, total: int, part: int = part) -> None:
                nonlocal told
                now = len(texts) * (part * total + done) // (parts * total)
                advance(now - told)
                told = now

            encodings.append(self._ask(texts, instruction, tell))
        return encodings

    def _ask(
        self, texts: Sequence[str], instruction: str, on_progress: OnProgress | None = None
    ) -> Encoding:
        masks, answers = self.job.n_masks, self.job.n_answers
        return self.encoder(texts, instruction, masks, top_k=answers, on_progress=on_progress)
