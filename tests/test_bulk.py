"""Large collections: whatever happens on the way, the rows are those of an uninterrupted run."""

import fcntl
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pyarrow import parquet
from tiny import model, tiny_encoder

from inbedder_core import bulk
from inbedder_core.__main__ import main
from inbedder_core.bulk import embed
from inbedder_core.errors import InputError
from inbedder_core.parts import Job
from inbedder_core.rows import read, survey

ROOT = Path(__file__).parents[1]
ANIMAL, EMOTION = "What animal is mentioned?", "What emotion is expressed?"


@pytest.fixture(autouse=True)
def one_thread():
    """The bits of a sum depend on the number of threads; those of other processes use one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    network, words = model("bert")
    network.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture
def texts():
    """Of many lengths, some equal, some too long for the model, one empty but for a space."""
    chance = random.Random(0)
    words = ["cats", "dog", "sushi", "waiter", "loves", "slow", "news", "river", "Tuesday!"]
    some = [" ".join(chance.choices(words, k=chance.randint(1, 90))) for _ in range(100)]
    return [*some, " ", *some[:9]]


@pytest.fixture
def source(tmp_path, texts):
    path = tmp_path / "in.csv"
    pd.DataFrame({"id": range(1000, 1000 + len(texts)), "text": texts}).to_csv(path, index=False)
    return path


@pytest.fixture
def job(source, tmp_path, checkpoint):
    plan = survey(source, "text", ["id"], shard_rows=16)
    out = tmp_path / "out"
    return Job(plan, (ANIMAL, EMOTION), out, str(checkpoint), dtype="float32", n_answers=2)


def parts(folder):
    """Every byte of every part, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def command(source, output, checkpoint, *more):
    return [
        "embed", "--input", str(source), "--text-column", "text", "--instruction", ANIMAL,
        "--instruction", EMOTION, "--output", str(output), "--model", str(checkpoint),
        "--id-column", "id", "--answers", "2", "--shard-rows", "16", "--dtype", "float32", *more,
    ]  # fmt: skip


def fails(arguments):
    """The sentence that a command ends with."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert isinstance(stop.value.code, str)  # which Python prints, with the status 1
    return stop.value.code


def test_the_rows_are_those_of_the_encoder(job, texts):
    embed(job)
    table = parquet.read_table(job.output)
    frame = table.to_pandas()
    assert frame.row.tolist() == list(range(110))
    assert frame.id.tolist() == [str(1000 + n) for n in range(110)]
    encoder = tiny_encoder("bert")
    for n, instruction in enumerate(job.instructions, 1):
        expected = encoder(texts, instruction, top_k=2)
        field = table.schema.field(f"embedding_{n}")
        assert str(field.type) == f"fixed_size_list<element: float>[{encoder.dim}]"
        assert field.metadata == {b"instruction": instruction.encode()}
        vectors = np.stack(frame[f"embedding_{n}"])
        np.testing.assert_allclose(vectors, expected.embeddings, atol=1e-5)
        words = [[a["text"] for a in answers] for answers in frame[f"answers_{n}"]]
        assert words == [[a.text for a in answers] for answers in expected.answers]
        assert frame.truncated.tolist() == expected.truncated.tolist()
    assert 0 < frame.truncated.sum() < 100
    about = json.loads(table.schema.metadata[b"inbedder"])
    assert about["instructions"] == [ANIMAL, EMOTION]
    assert (about["masks"], about["dtype"], about["method"]) == (3, "float32", "card")


def test_pandas_reads_the_folder_in_order(job):
    embed(job)
    assert pd.read_parquet(job.output).row.tolist() == list(range(110))


def test_stopped_between_any_batches_the_rows_are_the_same(job):
    embed(job)
    whole = parts(job.output)
    assert len(whole) == 7
    chance, cut = random.Random(1), replace(job, output=job.output / "cut")

    def stop(done, total):
        if chance.random() < 0.1:
            raise KeyboardInterrupt

    stops, seen = 0, []
    while not (cut.output / "_SUCCESS").exists():
        try:
            embed(cut, on_progress=lambda *of: (seen.append(of), stop(*of)))
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 3
    assert parts(cut.output) == whole
    assert seen[-1] == (110, 110)


def test_progress_counts_every_row_once(job):
    seen = []
    embed(job, on_progress=lambda *of: seen.append(of))
    assert seen[0] == (0, 110)
    assert seen[-1] == (110, 110)
    assert len(seen) > 14
    assert sorted(seen) == seen


def test_killed_at_random_moments_the_rows_are_the_same(job, source, checkpoint, tmp_path):
    plan = survey(source, "text", ["id"], shard_rows=1)
    job, cut = replace(job, plan=plan), tmp_path / "cut"
    embed(job)
    whole, arguments = parts(job.output), command(source, cut, checkpoint, "--shard-rows", "1")
    run = [sys.executable, "-m", "inbedder_core", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    chance, least = random.Random(), 1
    for _ in range(3):
        process = subprocess.Popen(run, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        kill_after = least + chance.randrange(25)  # counted in parts, however fast they come
        while len([*cut.glob("part-*")]) < kill_after and process.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.01)  # anywhere within a part
        process.kill()
        assert process.wait() == -signal.SIGKILL
        done = parts(cut)
        assert 0 < len(done) < 110
        assert done.items() <= whole.items()
        least = len(done) + 1
    main(arguments)
    assert parts(cut) == whole
    assert not [*cut.glob(".*")]


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(job, source, checkpoint, tmp_path):
    cut = tmp_path / "cut"
    arguments = command(source, cut, checkpoint, "--shard-rows", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "inbedder_core", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not [*cut.glob("part-*")] and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Stopped. What is done is kept in" in said
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert not (cut / "_SUCCESS").exists()
    assert not [*cut.glob(".*")]


def test_a_fault_of_the_input_is_known_before_torch_is_loaded(source, checkpoint, tmp_path):
    arguments = command(source, tmp_path / "out", checkpoint)
    arguments[arguments.index("--text-column") + 1] = "nothing"
    code = (
        "import sys\nfrom inbedder_core.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)"
    )
    run = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "nothing" in ended.stderr
    assert ended.stdout == "False\n"


def test_a_finished_run_does_nothing_and_loads_nothing(
    job, source, checkpoint, monkeypatch, capsys
):
    main(command(source, job.output, checkpoint))
    monkeypatch.setattr(bulk, "Mapper", None)
    main(command(source, job.output, checkpoint))
    assert "110 of 110 rows are there already." in capsys.readouterr().err


def test_memory_holds_one_shard(job, monkeypatch):
    """The next shard is read when the one before is written."""
    events = []
    monkeypatch.setattr(
        bulk, "read", lambda *of: (events.append("read") or shard for shard in read(*of))
    )
    written = bulk.write
    monkeypatch.setattr(bulk, "write", lambda *of: (events.append("write"), written(*of)))
    embed(job)
    assert events == ["read", "write"] * 7


OTHERS = {
    "instructions": ["--instruction", "Another?"],
    "masks": ["--masks", "2"],
    "answers": ["--answers", "3"],
    "shard rows": ["--shard-rows", "8"],
    "kept columns": ["--keep", "text"],
    "revision": ["--model", "KomeijiForce/inbedder-roberta-large"],
    "dtype": ["--dtype", "bfloat16"],
}


@pytest.mark.parametrize(("name", "more"), OTHERS.items(), ids=OTHERS.keys())
def test_another_run_s_output_is_refused(job, source, checkpoint, name, more):
    embed(job)
    job.part(2).unlink()
    before = parts(job.output)
    sentence = fails([*command(source, job.output, checkpoint), *more])
    assert re.search(rf"belongs to a run with other settings: .*{name}.*Give those again", sentence)
    assert parts(job.output) == before


def test_another_input_is_refused(job, source, checkpoint):
    embed(job)
    job.part(2).unlink()
    source.write_text(source.read_text().replace("sushi", "pizza"))
    assert "other settings: input (see" in fails(command(source, job.output, checkpoint))


def test_other_weights_of_the_same_name_are_refused(job, checkpoint, tmp_path):
    embed(job)
    job.part(2).unlink()
    retrained = tmp_path / checkpoint.name
    network, words = model("bert")
    torch.manual_seed(7)
    type(network)(network.config).save_pretrained(retrained)
    words.save_pretrained(retrained)
    with pytest.raises(InputError, match="begun with other weights"):
        embed(replace(job, model=str(retrained)))


def test_auto_goes_on_with_the_precision_that_the_run_began_with(job):
    embed(replace(job, dtype="bfloat16"))
    whole = parts(job.output)
    job.part(2).unlink()
    embed(replace(job, dtype="auto"))
    assert parts(job.output) == whole


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--text-column", "words"], "no column 'words'"),
        (["--keep", "name"], "no column 'name'"),
        (["--keep", "id"], "two columns 'id'"),
        (["--model", "nobody"], "There is no checkpoint 'nobody'"),
        (["--device", "abacus"], "The device 'abacus' can't be used"),
        (["--masks", "11"], "number of masks must be from 1 to 10, not 11"),
        (["--answers", "99"], "number of answers must be from 0 to 20, not 99"),
        (["--instruction", "why " * 100], "instruction"),
        (["--input", "in.docx"], "ends in .csv"),
        (["--shard-rows", "0"], "at least 1 row"),
        (["--workers", "0"], "at least 1 worker"),
    ],
)
def test_bad_arguments_are_said_and_leave_nothing(job, source, checkpoint, more, sentence):
    assert sentence in fails([*command(source, job.output, checkpoint), *more])
    main(command(source, job.output, checkpoint))  # nothing of the failure stands in the way


def test_the_process_says_one_sentence_and_1():
    run = [sys.executable, "-m", "inbedder_core", *command("no.csv", "no", "nobody")]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: no.csv can't be read. Give a file")
    assert "Traceback" not in done.stderr


def test_output_that_is_something_else_is_refused(job, source, checkpoint, tmp_path):
    assert "can't be made a folder" in fails(command(source, source, checkpoint))
    assert "holds something else" in fails(command(source, tmp_path, checkpoint))
    job.output.mkdir()
    (job.output / "_run.json").write_text("{")
    assert "_run.json is damaged" in fails(command(source, job.output, checkpoint))


def test_two_processes_never_write_to_one_output(job, source, checkpoint):
    job.output.mkdir()
    with (job.output / "_lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        sentence = fails(command(source, job.output, checkpoint))
    assert "Another process is writing" in sentence


def test_a_full_disk_is_said_and_leaves_no_half_part(job, monkeypatch):
    def full(table, file, **options):
        file.write(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(InputError, match=r"No space left on device.*goes on from there"):
        embed(job)
    assert not [*job.output.glob("part-*"), *job.output.glob(".*")]


def test_an_input_that_shrinks_meanwhile_is_said(job, source):
    source.write_text("".join(source.read_text().splitlines(keepends=True)[:60]))
    with pytest.raises(InputError, match="has changed since it was first read"):
        embed(job)


def test_ray_gives_the_same_rows_with_two_workers(job, checkpoint, tmp_path):
    ray = pytest.importorskip("ray", reason="LEFT OUT: Ray isn't installed (pip install ray[data])")
    embed(job)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        seen, spread = [], replace(job, output=tmp_path / "spread")
        embed(spread, engine="ray", workers=2, on_progress=lambda *of: seen.append(of))
        assert parts(spread.output) == parts(job.output)
        assert (spread.output / "_SUCCESS").exists()
        assert seen[-1] == (110, 110)
        spread.part(3).unlink()
        embed(spread, engine="ray", workers=2)
        assert parts(spread.output) == parts(job.output)
        spread.part(3).unlink()
        with pytest.raises(InputError, match="belongs to a run with other settings: dtype"):
            embed(replace(spread, dtype="bfloat16"), engine="ray", workers=1)
    finally:
        ray.shutdown()


def test_without_ray_the_engine_is_refused(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="pip install 'ray"):
        embed(job, engine="ray")
