from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from tests.aws.test_order import ORDER

from tuppence.aws.container import Container, devices
from tuppence.core.errors import CorruptFileError, InputError


def resources(base: Path, **given: object) -> None:
    config = base / "input" / "config"
    config.mkdir(parents=True)
    (config / "resourceconfig.json").write_text(json.dumps(given))


def test_hosts_have_the_same_order_on_every_machine(tmp_path: Path) -> None:
    for number, name in enumerate(["algo-1", "algo-2"]):
        base = tmp_path / name
        resources(base, current_host=name, hosts=["algo-2", "algo-1"], current_instance_type="ml.g5.xlarge")
        hosts = Container(base).hosts()
        assert (hosts.rank, hosts.all[0], hosts.interface) == (number, "algo-1", "eth0")


@pytest.mark.parametrize("given", [{"current_host": "algo-3", "hosts": ["algo-1"]}, {"hosts": ["algo-1"]}, {}])
def test_hosts_that_make_no_sense_are_refused(tmp_path: Path, given: dict[str, object]) -> None:
    resources(tmp_path, **given)
    with pytest.raises(CorruptFileError, match="names no hosts"):
        Container(tmp_path).hosts()


def test_a_job_without_an_order_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no"):
        Container(tmp_path).order()


@pytest.mark.parametrize("damage", ["none", "flip", "cut", "missing", "outside"])
def test_every_input_is_verified(tmp_path: Path, damage: str) -> None:
    content = b"0123456789"
    files = {"a/b.bin": (len(content), hashlib.sha256(content).hexdigest())}
    container = Container(tmp_path)
    path = container.channel("input-0") / "a" / "b.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes({"flip": b"0123456780", "cut": content[:-1]}.get(damage, content))
    if damage == "missing":
        path.unlink()
    if damage == "outside":
        (container.channel("input-0").parent / "b.bin").write_bytes(content)
        files = {"../b.bin": files["a/b.bin"]}
    order = dataclasses.replace(ORDER, files={"input-0": files})
    if damage == "none":
        assert container.verify(order) == 1
        return
    with pytest.raises(CorruptFileError):
        container.verify(order)


@pytest.mark.parametrize("name", ["..", "a/b", "", "a\0b"])
def test_a_channel_is_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorruptFileError):
        Container(tmp_path).channel(name)


def test_a_machine_without_gpus_runs_one_process() -> None:
    assert devices("ml.m5.xlarge") >= 1
    assert devices("ml.g5.12xlarge") == max(1, min(4, len(list(Path("/dev").glob("nvidia[0-9]*")))))
