"""`remote_output`: a local path whose content is copied to a remote location."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.memory_store import WritableMemoryStore, release_copies

from tuppence.core import console
from tuppence.core.errors import InputError, Interrupted
from tuppence.storage import AwsError, can_be_written, location_of, mirror_of, remote_output
from tuppence.storage.copies import LOCATION, outputs
from tuppence.storage.schemes import SCHEMES


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """What is behind `mem://`, which can be written."""
    found: dict[str, bytes] = {}
    monkeypatch.setitem(SCHEMES, "mem", lambda url: WritableMemoryStore(url, found))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(console, "_shown_as", {})
    release_copies()
    return found


def test_a_folder_is_copied_when_the_block_ends(objects: dict[str, bytes]) -> None:
    with remote_output("mem://b/deep/out/") as path:
        assert not path.exists(), "the verb makes it"
        assert (path.name, location_of(path / "a")) == ("out", "mem://b/deep/out/a")
        assert console.with_names(f"{path}/a is new") == "mem://b/deep/out/a is new"
        path.mkdir()
        (path / "a").write_bytes(b"a")
        assert objects == {}
    assert objects == {"mem://b/deep/out/a": b"a"}
    assert list(outputs().iterdir()) == []


def test_what_is_there_already_is_found_and_changed(objects: dict[str, bytes]) -> None:
    objects |= {"mem://b/out/a": b"old", "mem://b/out/c": b"c", "mem://b/output": b"another"}
    with remote_output("mem://b/out") as path:
        assert (path / "a").read_bytes() == b"old"
        (path / "a").write_bytes(b"new content")
        (path / "c").unlink()
    assert objects == {"mem://b/out/a": b"new content", "mem://b/output": b"another"}


def test_a_file_is_copied_alone(objects: dict[str, bytes]) -> None:
    objects["mem://b/deep/other"] = b"other"
    with remote_output("mem://b/deep/report.html", is_file=True) as path:
        assert not path.exists()
        path.write_bytes(b"page")
    assert objects == {"mem://b/deep/other": b"other", "mem://b/deep/report.html": b"page"}
    with remote_output("mem://b/deep/report.html", is_file=True) as path:
        assert path.read_bytes() == b"page"


def test_what_was_written_before_an_error_or_a_signal_is_copied_too(objects: dict[str, bytes]) -> None:
    for name, error in (("a", InputError("bad", "")), ("b", Interrupted(15))):
        with pytest.raises(type(error)), remote_output("mem://b/out") as path:
            path.mkdir(exist_ok=True)
            (path / name).write_bytes(b"x")
            raise error
    assert sorted(objects) == ["mem://b/out/a", "mem://b/out/b"]
    with pytest.raises(Interrupted), remote_output("mem://b/out") as path:
        (path / "c").write_bytes(b"x")
        raise Interrupted(2, at_once=True)
    assert sorted(objects) == ["mem://b/out/a", "mem://b/out/b"]


def test_an_error_never_removes_what_was_there(objects: dict[str, bytes]) -> None:
    objects["mem://b/out/a"] = b"a"
    with pytest.raises(InputError), remote_output("mem://b/out") as path:
        (path / "a").unlink()
        path.rmdir()
        raise InputError("bad", "")
    assert objects == {"mem://b/out/a": b"a"}


def test_results_that_could_not_be_sent_are_kept_and_named(
    objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> str:
        raise AwsError("the network is down", "")

    monkeypatch.setattr(WritableMemoryStore, "put", fails)
    with pytest.raises(AwsError, match="not everything was sent: the network is down") as caught:  # noqa: SIM117
        with remote_output("mem://b/out") as path:
            path.mkdir()
            (path / "a").write_bytes(b"a")
    assert str(path.parent) in caught.value.hint
    assert (path / "a").read_bytes() == b"a"
    with pytest.raises(InputError, match="bad"), remote_output("mem://b/other") as other:
        other.mkdir()
        (other / "a").write_bytes(b"a")
        raise InputError("bad", "")
    assert "not everything was sent: the network is down; the local files are in" in capsys.readouterr().err
    assert (path / "a").exists()


def test_folders_of_killed_processes_are_removed_and_those_in_use_are_not(objects: dict[str, bytes]) -> None:
    (outputs() / "killed" / "run").mkdir(parents=True)
    (outputs() / "killed" / LOCATION).write_text("mem://b/run")
    with remote_output("mem://b/one") as one:
        one.mkdir()
        with remote_output("mem://b/two"):
            assert one.exists()
            assert not (outputs() / "killed").exists()


def test_only_a_run_has_a_mirror_and_only_remote_stores_can_be_written(
    objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with remote_output("mem://b/run", is_run=True) as path:
        mirror = mirror_of(path)
        assert mirror is not None
        assert mirror_of(path.parent) is None
        (path / "run.yaml").write_text("status: done")
        assert list(objects) == ["mem://b/run/ledger.jsonl"]
    assert mirror_of(path) is None
    assert list(objects) == ["mem://b/run/run.yaml"]
    assert can_be_written("mem://b/run")
    assert not can_be_written("gs://b/run")


def test_ranks_of_a_machine_share_the_path_and_rank_0_copies(
    objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with remote_output("mem://b/run", is_run=True) as first:
        monkeypatch.setenv("RANK", "1")
        with remote_output("mem://b/run", is_run=True) as second:
            assert second == first
            (second / "run.yaml").write_text("x")
        monkeypatch.setenv("RANK", "0")
        assert first.exists()
    assert "mem://b/run/run.yaml" in objects
