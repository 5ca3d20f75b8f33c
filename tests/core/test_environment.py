"""Device, precision and platform on other machines: the answers of the hardware are replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from tuppence.core import environment
from tuppence.core.environment import choose_device, choose_precision, where
from tuppence.core.errors import InputError


def gpu(monkeypatch: pytest.MonkeyPatch, name: str, capability: tuple[int, int], count: int = 1) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(total_memory=16 * 2**30)
    )


def no_gpu(monkeypatch: pytest.MonkeyPatch, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"SM_TRAINING_ENV": "{}"}, "sagemaker-training"),
        ({"TRAINING_JOB_NAME": "job-1"}, "sagemaker-training"),
        ({"SAGEMAKER_APP_TYPE": "JupyterLab"}, "sagemaker-studio"),
        ({"COLAB_RELEASE_TAG": "release"}, "colab"),
        ({"COLAB_GPU": "0"}, "colab"),
        ({"COLAB_GPU": ""}, "local"),
        ({}, "local"),
    ],
)
def test_environment_variables_determine_the_platform(variables: dict[str, str], place: str, tmp_path: Path) -> None:
    assert where(variables, root=tmp_path) == place


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("opt/ml/input/config/resourceconfig.json", "sagemaker-training"),
        ("opt/ml/metadata/resource-metadata.json", "sagemaker-studio"),
    ],
)
def test_sagemaker_files_determine_the_platform_without_variables(file: str, place: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("{}")
    assert where({}, root=tmp_path) == place


def test_the_best_device_is_taken_and_cuda_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    no_gpu(monkeypatch)
    assert choose_device() == "cpu"
    no_gpu(monkeypatch, mps=True)
    assert choose_device() == "mps"
    gpu(monkeypatch, "NVIDIA H200", (9, 0))
    assert choose_device() == "cuda"
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:one", "CPU", ""])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(InputError, match="unknown device"):
        choose_device(device)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_a_missing_device_is_refused_with_a_hint(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    no_gpu(monkeypatch)
    with pytest.raises(InputError, match="not available") as refusal:
        choose_device(device)
    assert "the device to auto" in refusal.value.hint


def test_a_gpu_number_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, "NVIDIA T4", (7, 5), count=2)
    assert choose_device("cuda:1") == "cuda:1"
    with pytest.raises(InputError, match="2 GPU"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("name", "capability", "precision"),
    [
        ("NVIDIA H200", (9, 0), "bf16"),
        ("NVIDIA A100", (8, 0), "bf16"),
        ("NVIDIA B200", (10, 0), "bf16"),
        ("Tesla T4", (7, 5), "fp16"),
        ("Tesla V100", (7, 0), "fp16"),
        ("Tesla P100", (6, 0), "float32"),
    ],
)
def test_precision_follows_the_gpu_generation_and_says_why(
    name: str, capability: tuple[int, int], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu(monkeypatch, name, capability)
    chosen = choose_precision("cuda:0")
    assert chosen.name == precision
    assert name in chosen.reason


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ({"amx_bf16", "avx512_bf16"}, "bf16"),
        ({"avx512_bf16"}, "bf16"),
        ({"avx512f", "amx_int8"}, "float32"),
        (set(), "float32"),
    ],
)
def test_precision_follows_the_cpu(flags: set[str], precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cpu_flags", lambda: frozenset(flags))
    assert choose_precision("cpu").name == precision


def test_a_mac_computes_in_float32() -> None:
    assert choose_precision("mps").name == "float32"


def test_a_requested_precision_is_used_if_the_device_can_train_in_it() -> None:
    assert choose_precision("cpu", "bf16").name == "bf16"
    assert choose_precision("cuda", "fp16").name == "fp16"
    with pytest.raises(InputError, match="fp16 needs an NVIDIA GPU"):
        choose_precision("cpu", "fp16")
    with pytest.raises(InputError, match="unknown precision"):
        choose_precision("cpu", "half")


def test_bf16_is_refused_on_a_gpu_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, "Tesla T4", (7, 5))
    with pytest.raises(InputError, match=r"Tesla T4 has 7\.5"):
        choose_precision("cuda:0", "bf16")
    gpu(monkeypatch, "NVIDIA A100", (8, 0))
    assert choose_precision("cuda:0", "bf16").name == "bf16"


def test_cpu_facts_are_read_from_cpuinfo(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu sse2 amx_bf16\n\n")
    assert environment.cpu_flags(cpuinfo) == {"fpu", "sse2", "amx_bf16"}
    assert environment.cpu_name(cpuinfo) == "Some CPU @ 2 GHz"
    assert environment.cpu_flags(tmp_path / "absent") == frozenset()
    assert environment.cpu_name(tmp_path / "absent")


def test_a_container_limit_below_the_machine_counts(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert environment.cpu_count(tmp_path) == 1
    assert environment.memory_bytes(tmp_path) == 2**30


def test_without_a_container_limit_the_machine_limits_apply(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    if hasattr(os, "sched_getaffinity"):
        assert environment.cpu_count(tmp_path) == len(os.sched_getaffinity(0))
    assert environment.memory_bytes(tmp_path) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_version_1_container_limit_counts_too(tmp_path: Path) -> None:
    for file, value in {
        "memory/memory.limit_in_bytes": "536870912",
        "cpu/cpu.cfs_quota_us": "100000",
        "cpu/cpu.cfs_period_us": "100000",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(value)
    assert environment.memory_bytes(tmp_path) == 2**29
    assert environment.cpu_count(tmp_path) == 1


def test_free_space_of_a_missing_folder_is_that_of_its_parent(tmp_path: Path) -> None:
    free = environment.free_disk_bytes(tmp_path / "not" / "yet")
    assert free is not None
    assert free == pytest.approx(os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize, rel=0.1)


def test_the_description_of_a_machine_is_plain_values(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, "NVIDIA T4", (7, 5))
    facts = environment.describe("cuda", choose_precision("cuda"))
    assert facts["gpu"] == "NVIDIA T4"
    assert facts["gpu_memory_gib"] == 16.0
    assert facts["precision"] == "fp16"
    assert all(isinstance(value, str | int | float) for value in facts.values())


def test_importing_the_module_imports_no_torch() -> None:
    code = "import sys, tuppence.core.environment, tuppence.core.checkup; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
