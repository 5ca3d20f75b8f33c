"""Requests, answers and bits get lost on the way to S3. Nothing that was stored is lost, and nothing wrong is loaded.

A command may fail in one line; what it reports as done must be done. The tries here have fixed seeds; `make soak` does
thousands.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.s3_proxy import FAULTS, Proxy, in_short_time
from tests.s3_servers import Bucket, Server, use
from tests.storage.test_run_mirror import checkpoint, log, steps

from tuppence.core.errors import TuppenceError
from tuppence.storage import run_mirror, s3_reading, s3_writing, stage
from tuppence.storage.checksums import verify_checksums
from tuppence.storage.lease import LostLeaseError
from tuppence.storage.run_mirror import RunMirror

PART = 20_000
SOAK_SECONDS = 80.0
SEED_VARIABLE = "TUPPENCE_SOAK_SEED"
"""Another seed gives another campaign."""


@pytest.fixture(params=["moto", "ministack"])
def faulty(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[Proxy, Bucket]]:
    """A bucket behind the proxy, parts of 20 kB, and almost no pauses."""
    server: Server = request.getfixturevalue(request.param)
    proxy = Proxy(server, seed=int(os.environ.get(SEED_VARIABLE, 1)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    in_short_time(monkeypatch)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    for module in (s3_reading, s3_writing):
        monkeypatch.setattr(module, "PART_BYTES", PART)
    monkeypatch.setattr("tuppence.storage.mirror.SMALL_BYTES", PART)
    yield proxy, use(proxy.server, monkeypatch)
    proxy.close()


def try_transfers(proxy: Proxy, bucket: Bucket, folder: Path, chance: random.Random) -> Counter[str]:
    """Uploads, downloads, streams and stages one file; whatever succeeds must be right."""
    done: Counter[str] = Counter()
    name, size = f"d{chance.randrange(10**9)}/f", chance.choice([0, 100, PART, PART + 1, 5 * PART + 7])
    content, store = chance.randbytes(size), bucket.store()
    (folder / "f").write_bytes(content)
    with proxy.failing(0.15):
        stored = _succeeds(lambda: store.upload(folder / "f", name))
    if not stored:
        return done
    done["uploaded"] += 1
    right = bucket.contents(name)[name] == content
    assert right or size > PART, "a small object is compared at once, a large one by its reader"
    with proxy.failing(0.15):
        copied = _succeeds(lambda: store.download(name, folder / "copy"))
        assert right or not copied
        assert not copied or (folder / "copy").read_bytes() == content
        done["downloaded"] += copied

        def stream() -> None:
            with store.open(name) as opened:
                assert opened.read() == content
                opened.seek(chance.randrange(size + 1))
                opened.read(10)

        streamed = _succeeds(stream)
        assert right or not streamed
        done["streamed"] += streamed

        def staged() -> None:
            assert stage(f"{bucket.url}/{name}").read_bytes() == content
            done["staged"] += 1

        _succeeds(staged)
    (folder / "copy").unlink(missing_ok=True)
    return done


def try_increments(proxy: Proxy, bucket: Bucket, chance: random.Random) -> Counter[str]:
    """Three writers append their names to one object, on condition; each name must be in it once if it succeeded."""
    store, name = bucket.store(), f"list-{chance.randrange(10**9)}"
    said: dict[str, bool] = {}

    def append(number: int) -> None:
        mine = f"{number}-{uuid.uuid4().hex[:6]}"
        for _ in range(30):
            try:
                found = store.read(name)
                if found is not None and mine.encode() in found[0]:
                    said[mine] = True
                    return
                text = (b"" if found is None else found[0]) + mine.encode() + b"\n"
                version = store.put_if_absent(name, text) if found is None else store.replace_if(name, text, found[1])
                if version is not None:
                    said[mine] = True
                    return
            except TuppenceError:
                continue

    with proxy.failing(0.15), ThreadPoolExecutor(3) as pool:
        list(pool.map(append, range(3)))
    found = store.read(name)
    lines = [] if found is None else found[0].decode().split()
    assert len(set(lines)) == len(lines)
    assert set(said) <= set(lines)
    return Counter(appended=len(lines))


def try_lives(proxy: Proxy, bucket: Bucket, folder: Path, chance: random.Random) -> Counter[str]:
    """A run on one machine after the other; what was flushed must be found by the next one, bit by bit."""
    done: Counter[str] = Counter()
    store, safe = bucket.store(f"run-{chance.randrange(10**9)}"), 0

    def weights(step: int) -> bytes:
        return random.Random(step).randbytes(PART + 3000 if step % 2 else 300)

    for life in range(2):
        local = folder / f"machine-{uuid.uuid4().hex[:8]}"
        local.mkdir()
        mirror = RunMirror(local, store, on_lost=lambda: None)
        with proxy.failing(0.12):
            begun = _succeeds(mirror.begin)
        if not begun:
            shutil.rmtree(local)
            continue
        found = steps(local)
        assert max(found, default=0) >= safe, (life, found, safe)
        verify_checksums(local)
        for step in found:
            assert (local / f"checkpoints/step-{step:08d}/model.safetensors").read_bytes() == weights(step)
        done["restored"] += len(found)
        step = max(found, default=0)
        for _ in range(3):
            step += 1
            log(mirror, f"{step},")
            checkpoint(mirror, step, weights(step))
            for old in steps(local)[:-2]:
                shutil.rmtree(local / f"checkpoints/step-{old:08d}")
            with proxy.failing(0.12):
                if _succeeds(mirror.flush):
                    safe, done["flushed"] = step, done["flushed"] + 1
        with proxy.failing(0.12):
            done["ended"] += _succeeds(mirror.end)
        mirror._over.set()
        shutil.rmtree(local)
    return done


def _succeeds(work: Callable[[], object]) -> bool:
    """Whether work succeeds; an error that is told in one line is no success, any other one is a defect."""
    told: TuppenceError | None = None
    try:
        work()
    except TuppenceError as error:
        told = error
    assert not isinstance(told, LostLeaseError), "nobody else was there"
    assert told is None or "\n" not in told.message
    return told is None


def one_try(proxy: Proxy, bucket: Bucket, folder: Path, seed: int, kind: int) -> Counter[str]:
    chance = random.Random(seed)
    if kind == 0:
        return try_transfers(proxy, bucket, folder, chance)
    return try_increments(proxy, bucket, chance) if kind == 1 else try_lives(proxy, bucket, folder, chance)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads of mirrors do nothing by themselves, and machines are those of one job."""
    monkeypatch.setattr(run_mirror, "POLL_SECONDS", 1e6)
    monkeypatch.setattr(run_mirror, "LEDGER_SECONDS", 1e6)
    monkeypatch.setenv("TRAINING_JOB_NAME", "job")


@pytest.mark.usefixtures("quiet")
def test_nothing_is_lost_and_nothing_wrong_is_loaded(faulty: tuple[Proxy, Bucket], tmp_path: Path) -> None:
    proxy, bucket = faulty
    done: Counter[str] = Counter()
    for seed, kind in enumerate((0, 2) if bucket.server.name == "moto" else (0, 1)):
        done += one_try(proxy, bucket, tmp_path, seed, kind)
    assert done["uploaded"]
    assert done["flushed"] or done["appended"]
    assert proxy.seen


@pytest.mark.soak
@pytest.mark.usefixtures("quiet")
def test_thousands_of_tries(faulty: tuple[Proxy, Bucket], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proxy, bucket = faulty
    done: Counter[str] = Counter()
    began, seed = time.monotonic(), int(os.environ.get(SEED_VARIABLE, 1000))
    while time.monotonic() - began < SOAK_SECONDS:
        done += one_try(proxy, bucket, tmp_path, seed, (0, 0, 1, 2)[seed % 4])
        done["tries"] += 1
        seed += 1
    with capsys.disabled():
        print(f"\n{bucket.server.name}: {proxy.requests:,} requests, faults {dict(proxy.seen)}; {dict(done)}")
    assert set(proxy.seen) == set(FAULTS)
    assert min(done[name] for name in ("uploaded", "downloaded", "streamed", "staged", "appended", "flushed")) > 20


def test_a_body_that_is_cut_is_asked_for_again_from_the_last_byte(faulty: tuple[Proxy, Bucket]) -> None:
    proxy, bucket = faulty
    proxy.faults = ("cut",)
    content = random.Random(0).randbytes(300_000)
    bucket.server.client().put_object(Bucket=bucket.name, Key="k", Body=content)
    asked: list[str] = []
    store = bucket.store()
    original = store._client.get_object

    def ask(**request: object) -> object:
        asked.append(str(request.get("Range", "")))
        return original(**request)

    store._client.get_object = ask
    try:
        with proxy.failing(0.5), store.open("k") as stream:
            assert stream.read() == content
    finally:
        del store._client.get_object
    starts = [int(one.removeprefix("bytes=").split("-")[0]) for one in asked if one]
    assert starts == sorted(starts)
    assert proxy.seen["cut"] == 0 or starts


def test_a_lost_answer_to_a_conditional_write_is_no_conflict(faulty: tuple[Proxy, Bucket]) -> None:
    proxy, bucket = faulty
    proxy.faults = ("lost answer",)
    store = bucket.store()
    with proxy.failing(0.4):
        version = store.put_if_absent("a", b"1")
        assert version is not None
        for number in range(2, 8):
            version = store.replace_if("a", b"%d" % number, version)
            assert version is not None
    assert store.read("a") == (b"7", version)
    assert proxy.seen["lost answer"]
    assert store.put_if_absent("a", b"other") is None


def test_the_same_seed_makes_the_same_faults(moto: Server) -> None:
    drawn = []
    for _ in range(2):
        proxy = Proxy(moto, seed=5, rate=0.5)
        drawn.append([proxy.draw("GET", "/bucket/key") for _ in range(50)])
        proxy.close()
    assert drawn[0] == drawn[1]
    assert threading.active_count() < 100
