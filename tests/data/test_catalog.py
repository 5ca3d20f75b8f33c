"""The catalog is complete and consistent, and one file is extracted from a zip archive."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data import catalog
from tuppence.data.catalog import PublicSet, find_set, get, load_catalog
from tuppence.data.download import Download

WANTED = {
    "tiny-shakespeare",
    "tinystories",
    "wikitext-2",
    "fineweb-edu",
    "sms-spam",
    "dolly",
    "hh-rlhf",
    "lambada",
    "hellaswag",
    "arc_easy",
    "arc_challenge",
    "piqa",
}


def test_every_set_has_one_entry_with_licence_origin_and_use() -> None:
    sets = load_catalog()
    assert len({one.name for one in sets}) == len(sets)
    assert {one.name for one in sets} >= WANTED
    for one in sets:
        assert one.url.startswith("https://"), one.name
        assert one.origin.startswith("https://"), one.name
        assert one.licence, one.name
        assert one.title, one.name
        assert one.use.startswith("tuppence "), one.name
        assert one.sha256 is None or (len(one.sha256) == 64 and int(one.sha256, 16)), one.name


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tiny-shakespeare", "text/tinyshakespeare.txt"),
        ("sms-spam", "spam/SMSSpamCollection"),
        ("hh-rlhf-test", "preferences/hh-rlhf/helpful-base-test.jsonl.gz"),
    ],
)
def test_checksums_match_the_files(shared_data: Path, name: str, file: str) -> None:
    content = (shared_data / file).read_bytes()
    one = find_set(name)
    assert (one.bytes, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_error_for_an_unknown_name_suggests_the_most_similar_name() -> None:
    with pytest.raises(InputError, match="no public set called 'tinystory'") as caught:
        find_set("tinystory")
    assert "tinystories" in caught.value.hint


def test_the_error_for_a_folder_as_out_suggests_a_file_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder") as caught:
        get(find_set("dolly"), tmp_path)
    assert caught.value.hint.endswith("databricks-dolly-15k.jsonl")


@pytest.fixture
def zipped(monkeypatch: pytest.MonkeyPatch) -> PublicSet:
    """A set in an archive, and a download that needs no network."""
    content = b"ham\thello\n" * 100
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("readme", "read me")
        bundle.writestr("SMSSpamCollection", content)

    def fake(url: str, out: Path, **_: Any) -> Download:
        out.write_bytes(packed.getvalue())
        return Download(out, out.stat().st_size, "", verified=False)

    monkeypatch.setattr(catalog, "download", fake)
    sha256 = hashlib.sha256(content).hexdigest()
    return dataclasses.replace(find_set("sms-spam"), sha256=sha256, bytes=len(content))


def test_one_file_is_extracted_from_an_archive_and_verified(zipped: PublicSet, tmp_path: Path) -> None:
    done = get(zipped, tmp_path / "sms.tsv")
    assert (done.bytes, done.sha256, done.verified) == (1000, zipped.sha256, True)
    assert done.path.read_bytes() == b"ham\thello\n" * 100
    assert [path.name for path in tmp_path.iterdir()] == ["sms.tsv"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sha256": "0" * 64}, "has sha256"),
        ({"member": "missing"}, "not the expected archive"),
        ({"bytes": 999}, "larger than it should be"),
    ],
)
def test_an_unexpected_archive_is_refused_and_removed(
    zipped: PublicSet, tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CorruptFileError, match=complaint):
        get(dataclasses.replace(zipped, **change), tmp_path / "sms.tsv")
    assert list(tmp_path.iterdir()) == []
