"""The checks of the doctor on unusual machines: no torch, a broken torch, a full disk, missing extras."""

from __future__ import annotations

import builtins
import importlib.util
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tuppence.core import checkup, environment
from tuppence.core.checkup import Check, aws_credentials, examine, verdict


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def break_torch(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "torch":
            raise error
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)


def test_this_machine_can_run_the_project(tmp_path: Path) -> None:
    checks = by_name(examine(tmp_path))
    assert {"python", "torch", "device", "precision", "memory", "disk", "place", "aws"} <= set(checks)
    assert checks["torch"].status == "ok"
    assert checks["precision"].value.startswith(("bf16", "fp16", "float32"))


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'torch'"), OSError("libcudart.so.13: cannot open")]
)
def test_a_missing_or_broken_torch_fails_one_check_and_the_others_run(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        break_torch(patched, error)
        checks = by_name(examine(tmp_path))
    assert checks["torch"].status == "fail"
    assert "pip install" in checks["torch"].hint
    assert checks["disk"].status in ("ok", "warn")
    assert verdict(list(checks.values())) == "fail"


@pytest.mark.parametrize(("version", "status"), [("2.5.1+cu121", "fail"), ("2.6.0", "ok"), ("2.10.0a0+git1", "ok")])
def test_torch_older_than_2_6_fails(version: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch, "__version__", version)
    assert by_name(examine(tmp_path))["torch"].status == status


@pytest.mark.parametrize(("free", "status"), [(100 * 2**20, "fail"), (2 * 2**30, "warn"), (50 * 2**30, "ok")])
def test_little_disk_space_is_a_warning_and_almost_none_a_failure(
    free: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "free_disk_bytes", lambda folder: free)
    assert by_name(examine(tmp_path))["disk"].status == status


def test_a_missing_extra_warns_and_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else real(name, *rest)
    )
    check = by_name(examine(tmp_path))["extra plot"]
    assert (check.status, check.hint) == ("warn", "pip install 'tuppence[plot]'")


def test_a_check_that_raises_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> int:
        raise RuntimeError("odd machine")

    monkeypatch.setattr(environment, "cpu_count", explode)
    check = by_name(examine(tmp_path))["cores"]
    assert check.status == "warn"
    assert "odd machine" in check.value


KEYS = {"AWS_ACCESS_KEY_ID": "made-up-name", "AWS_SECRET_ACCESS_KEY": "made-up-word"}


def test_the_region_of_the_environment_is_named(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "MADEUPNAME12345", "AWS_SECRET_ACCESS_KEY": "made+up/word"}
    assert aws_credentials(keys | {"AWS_REGION": "eu-west-1"}, tmp_path).value.endswith(", region eu-west-1")


@pytest.mark.parametrize(
    ("variables", "files", "found"),
    [
        ({}, {}, None),
        ({"AWS_ACCESS_KEY_ID": "half-a-pair"}, {}, None),
        (KEYS, {}, "environment variables"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, {}, "container role"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:x"}, {}, "web identity role"),
        ({}, {".aws/credentials": "[default]\n"}, "shared credentials file"),
        ({}, {".aws/config": "[default]\nregion = eu-west-1\n"}, None),
        ({}, {".aws/config": "[default]\nsso_session = me\n"}, "profile in the config file"),
    ],
)
def test_aws_credentials_are_noticed_and_never_shown(
    variables: dict[str, str], files: dict[str, str], found: str | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    check = aws_credentials(variables, tmp_path)
    assert check.status == "ok"
    expected = f"credentials present ({found}), no region" if found else "no credentials"
    assert check.value.startswith(expected)
    for value in variables.values():
        assert value not in check.value + check.hint


def test_the_worst_line_is_the_verdict() -> None:
    ok, warn, fail = (Check("x", status, "") for status in ("ok", "warn", "fail"))
    assert verdict([ok, ok]) == "ok"
    assert verdict([ok, warn]) == "warn"
    assert verdict([warn, fail, ok]) == "fail"


def test_every_extra_of_the_project_is_examined() -> None:
    project = Path(checkup.__file__).parents[3] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    assert set(checkup.EXTRAS) == set(extras) - {"dev", "docs"}  # those two are for contributors


def test_a_user_without_a_home_folder_can_be_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    aws = next(check for check in checkup.examine(tmp_path) if check.name == "aws")
    assert "could not be examined" not in aws.value
