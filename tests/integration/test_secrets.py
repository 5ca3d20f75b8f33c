"""Secrets that are planted in the environment and in files appear in nothing that tuppence writes or says."""

from __future__ import annotations

import ast
import dataclasses
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.integration.command_lines import settings
from tests.integration.conftest import Run
from tests.s3_servers import Bucket, Server, use

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tuppence"
PLANTED = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDINAVARIABLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrPlantedVariable",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEPlantedTokenOfASession",
    "HF_TOKEN": "hf_plantedTokenOfAHub",
    "OPENAI_API_KEY": "sk-plantedKeyOfAnApi",
}
CREDENTIALS = """[default]
aws_access_key_id = AKIAPLANTEDINAFILE01
aws_secret_access_key = wJalrPlantedSecretOfAFile
"""


def planted_in(content: bytes, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if secret.encode() in content]


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def test_runs_reports_and_buckets_hold_no_secret(
    tuppence: Run, corpus: Path, tmp_path: Path, ministack: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {"key_id": PLANTED["AWS_ACCESS_KEY_ID"], "secret": PLANTED["AWS_SECRET_ACCESS_KEY"]}
    bucket: Bucket = use(dataclasses.replace(ministack, **planted), monkeypatch)
    environment = {**os.environ, **PLANTED, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    secrets = [*PLANTED.values()]
    heard = ""
    for out in (f"{bucket.url}/run", tmp_path / "run"):
        words = ["pretrain", "--data", corpus / "data", "--out", out, "--max-steps", 2, *settings(), "--debug"]
        done = tuppence(*words, env=environment)
        assert done.returncode == 0, done.stderr
        heard += done.stdout + done.stderr
    done = tuppence("report", tmp_path / "run", env=environment)
    assert done.returncode == 0, done.stderr
    places = [*written(tmp_path), *bucket.contents().items(), ("output", heard.encode())]
    assert {"run/run.yaml", str(tmp_path / "run" / "report.html")} <= {name for name, _ in places}
    assert [(name, found) for name, content in places if (found := planted_in(content, secrets))] == []


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["plain", "debug"])
def test_errors_and_tracebacks_hold_no_secret(tuppence: Run, tmp_path: Path, moto: Server, debug: list[str]) -> None:
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "short").write_text("wJalrPlantedSecretOfAFile: [")
    here = {**os.environ, **moto.environment, **PLANTED, "AWS_EC2_METADATA_DISABLED": "true"}
    elsewhere = here | {"AWS_ENDPOINT_URL": "http://me:wordOfThePlanted@127.0.0.1:no-port"}
    del elsewhere["TUPPENCE_AWS_ENDPOINT"]
    train = ["pretrain", "--data", "d", "--out", "o", "--config"]
    for words, variables in (
        ([*train, "credentials"], here),
        ([*train, "short"], here),
        (["data", "prepare", "s3://no-such-bucket-here/x.txt", "--tokenizer", "t", "--out", "o"], here),
        (["aws", "sweep"], here),
        (["aws", "sweep"], elsewhere),
    ):
        done = tuppence(*words, *debug, env=variables, cwd=tmp_path)
        said = done.stdout + done.stderr
        assert planted_in(said.encode(), ["wJalr", "AKIA", "wordOfThePlanted", *PLANTED.values()]) == [], said
        assert done.returncode == (1 if debug else 2), said
        assert ("Traceback" in said) is bool(debug)


@cache
def calls() -> dict[str, set[str]]:
    """File of the package → what it calls, such as `boto3.client`."""
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        nodes = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        found[path.relative_to(SOURCE).as_posix()] = {
            f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else f".{node.attr}"
            for node in nodes
            if isinstance(node, ast.Attribute)
        }
    return found


def files_that_call(*names: str) -> set[str]:
    return {path for path, called in calls().items() if called & set(names)}


def test_clients_of_aws_are_made_where_they_get_time_limits_and_bounded_retries() -> None:
    makers = files_that_call("boto3.client", "boto3.resource", "boto3.Session", "session.client", "session.resource")
    assert makers == {"storage/aws_client.py", "aws/local/control_plane.py"}, "use tuppence.storage.client"


def test_only_our_own_checked_archive_is_unpacked() -> None:
    unpackers = {"packed.extractall", "packed.extract", "tar.extractall", "tar.extract", "shutil.unpack_archive"}
    assert files_that_call(*unpackers) == {"aws/start_job.py"}
    every = files_that_call(*(f".{name.rpartition('.')[2]}" for name in unpackers), *unpackers)
    assert every == {"aws/start_job.py"}
