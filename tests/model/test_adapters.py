"""Adapters on disk: exchange with PEFT in both directions, and what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.model import adapters
from tuppence.model.adapters import CONFIG, WEIGHTS, load_adapter, save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer, train_only
from tuppence.model.lora import TARGETS, LoRA, add_lora, lora_layers
from tuppence.model.saving import save_model
from tuppence.model.weights import fingerprint, load_model

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]])


@pytest.fixture
def base(tmp_path: Path, lively: Callable[..., GPT], small_config: ModelConfig) -> Path:
    save_model(lively(small_config, std=0.1), tmp_path / "base")
    return tmp_path / "base"


def saved(base: Path, folder: Path, lora: LoRA) -> GPT:
    model = load_model(base)
    add_lora(model, lora)
    torch.manual_seed(1)
    with torch.no_grad():
        for _, layer in lora_layers(model):
            layer.lora_B.normal_(std=0.2)
    save_adapter(model, folder, lora, base=base, base_sha256=fingerprint(base))
    return model


def theirs(base: Path) -> Any:
    return pytest.importorskip("transformers").AutoModelForCausalLM.from_pretrained(base)


@pytest.mark.parametrize("targets", [TARGETS, ("attention.qkv",), ("attention.projection", "mlp.contract")])
def test_peft_opens_what_we_write(base: Path, tmp_path: Path, targets: tuple[str, ...]) -> None:
    peft = pytest.importorskip("peft")
    model = saved(base, tmp_path / "adapter", LoRA(rank=4, alpha=10.0, dropout=0.1, targets=targets))
    other = peft.PeftModel.from_pretrained(theirs(base), tmp_path / "adapter").eval()
    with torch.no_grad():
        assert (other(TOKENS).logits - model.eval()(TOKENS)).abs().max() < 1e-5
    auto = peft.AutoPeftModelForCausalLM.from_pretrained(
        tmp_path / "adapter"
    ).eval()  # finds the base by its recorded path
    with torch.no_grad():
        assert (auto(TOKENS).logits - model(TOKENS)).abs().max() < 1e-5


def test_peft_opens_a_classifiers_adapter_with_its_head(base: Path, tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    lora = LoRA(rank=4, alpha=10.0)
    model = SequenceScorer(load_model(base), 3)
    train_only(model, "lora", lora)
    torch.manual_seed(1)
    with torch.no_grad():
        for _, layer in lora_layers(model):
            layer.lora_B.normal_(std=0.2)
        model.score.weight.normal_()
    place = tmp_path / "adapter"
    save_adapter(model.gpt, place, lora, base=base, base_sha256=fingerprint(base), score=model.score)

    plain = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=3, pad_token_id=60)
    other = peft.PeftModel.from_pretrained(plain, place).eval()
    with torch.no_grad():
        assert (other(TOKENS).logits - model.eval()(TOKENS, torch.tensor([8, 8]))).abs().max() < 1e-5
    with pytest.raises(InputError, match="adapter of a classifier"):  # a language model has no place for the head
        load_model(place)


@pytest.mark.parametrize(
    "placed",
    [
        {"target_modules": ["c_attn"]},
        {"target_modules": ["c_attn", "c_proj", "c_fc"]},
        {"target_modules": ["c_attn"], "use_rslora": True},
        {"target_modules": ["mlp.c_proj"]},
        {"target_modules": ["c_attn", "c_fc"], "layers_to_transform": [1]},
        {"target_modules": ["c_attn"], "layers_to_transform": 0},
        {"target_modules": ["h.0.attn.c_attn", "h.1.mlp.c_fc"]},
        {"target_modules": r".*h\.1\..*c_proj"},
    ],
    ids=str,
)
def test_we_open_what_peft_writes(base: Path, tmp_path: Path, placed: dict[str, Any]) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=3, lora_alpha=7, fan_in_fan_out=True, task_type="CAUSAL_LM", **placed)
    other = peft.get_peft_model(theirs(base), config).eval()
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    other.save_pretrained(tmp_path / "adapter")
    model = load_model(base)
    before = model(TOKENS).detach()
    lora = load_adapter(model, tmp_path / "adapter")
    assert (lora.rank, lora.alpha) == (3, pytest.approx(7 * 3**0.5) if placed.get("use_rslora") else 7)
    with torch.no_grad():
        assert (other(TOKENS).logits - model(TOKENS)).abs().max() < 1e-5
        assert (model(TOKENS) - before).abs().max() > 1e-3


def test_an_adapter_without_a_block_that_its_config_names_is_refused(base: Path, tmp_path: Path) -> None:
    saved(base, tmp_path / "adapter", LoRA(rank=2))
    tensors = load_file(tmp_path / "adapter" / WEIGHTS)
    save_file({name: tensor for name, tensor in tensors.items() if ".h.1." not in name}, tmp_path / "adapter" / WEIGHTS)
    with pytest.raises(InputError, match=r"no adapter for blocks\.1\.attention\.qkv"):
        load_adapter(load_model(base), tmp_path / "adapter")
    edited(tmp_path / "adapter", layers_to_transform=[0])
    load_adapter(load_model(base), tmp_path / "adapter")


def test_an_adapter_s_folder_loads_as_its_base_with_the_adapter_merged(base: Path, tmp_path: Path) -> None:
    model = saved(base, tmp_path / "adapter", LoRA(rank=2))
    merged = load_model(tmp_path / "adapter")
    assert not any(lora_layers(merged))
    with torch.no_grad():
        assert (merged(TOKENS) - model.eval()(TOKENS)).abs().max() < 1e-5


def test_a_saved_adapter_is_read_back_bit_for_bit(base: Path, tmp_path: Path) -> None:
    model = saved(base, tmp_path / "adapter", LoRA(rank=2))
    again = load_model(base)
    load_adapter(again, tmp_path / "adapter", base_sha256=fingerprint(base))
    kept = again.state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())


def test_an_adapter_of_another_base_is_refused(
    base: Path, tmp_path: Path, lively: Callable[..., GPT], small_config: ModelConfig
) -> None:
    saved(base, tmp_path / "adapter", LoRA(rank=2))
    save_model(lively(small_config, seed=5), tmp_path / "other")
    with pytest.raises(InputError, match="another base"):
        load_adapter(load_model(tmp_path / "other"), tmp_path / "adapter", base_sha256=fingerprint(tmp_path / "other"))
    wider = small_config.model_copy(update={"d_model": 32})
    with pytest.raises(InputError, match=r"shape \(2, 16\)"):
        load_adapter(GPT(wider), tmp_path / "adapter")
    shallower = small_config.model_copy(update={"n_layers": 1})
    with pytest.raises(InputError, match=r"blocks\.1"):
        load_adapter(GPT(shallower), tmp_path / "adapter")


def test_the_fingerprint_of_an_adapter_s_folder_is_its_base_s_and_its_own(base: Path, tmp_path: Path) -> None:
    saved(base, tmp_path / "adapter", LoRA(rank=2, alpha=4.0))
    first = fingerprint(tmp_path / "adapter")
    assert first != fingerprint(base)
    tensors = load_file(tmp_path / "adapter" / WEIGHTS)
    next(iter(tensors.values())).mul_(2)
    save_file(tensors, tmp_path / "adapter" / WEIGHTS)
    assert fingerprint(tmp_path / "adapter") != first


def test_a_missing_base_is_named(base: Path, tmp_path: Path) -> None:
    saved(base, tmp_path / "adapter", LoRA(rank=2))
    base.rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"adapter of .*base.* not here"):
        load_model(tmp_path / "adapter")


def edited(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    "change",
    [
        {"use_dora": True},
        {"an_option_of_tomorrow": True},
        {"layer_replication": [[0, 1]]},
        {"alora_invocation_tokens": [5, 6]},
        {"bias": "all"},
        {"fan_in_fan_out": False},
        {"modules_to_save": ["lm_head"]},
        {"rank_pattern": {"c_attn": 8}},
        {"peft_type": "IA3"},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "olora"},
        {"r": "16"},
        {"lora_alpha": None},
        {"r": 10**9},
    ],
)
def test_an_option_that_is_not_implemented_is_refused_by_name(
    base: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    saved(base, tmp_path / "adapter", LoRA(rank=2))
    edited(tmp_path / "adapter", **change)
    with pytest.raises(InputError):
        load_adapter(load_model(base), tmp_path / "adapter")


@pytest.mark.parametrize("change", [{"an_option_of_tomorrow": None}, {"use_dora": False}, {"qalora_group_size": 16}])
def test_an_option_that_is_off_is_ignored(base: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    saved(base, tmp_path / "adapter", LoRA(rank=2))
    edited(tmp_path / "adapter", **change)
    assert load_adapter(load_model(base), tmp_path / "adapter").rank == 2


def test_incomplete_broken_and_foreign_files_are_refused(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    saved(base, folder, LoRA(rank=2))
    whole = (folder / WEIGHTS).read_bytes()
    tensors = load_file(folder / WEIGHTS)

    (folder / WEIGHTS).write_bytes(whole[:-10])
    with pytest.raises(CorruptFileError):
        load_adapter(load_model(base), folder)

    name = next(iter(tensors))
    save_file({**tensors, name: torch.full_like(tensors[name], torch.nan)}, folder / WEIGHTS)
    with pytest.raises(InputError, match="NaN"):
        load_adapter(load_model(base), folder)

    save_file({**tensors, "base_model.model.transformer.wte.lora_A.weight": torch.ones(2, 2)}, folder / WEIGHTS)
    with pytest.raises(InputError, match="wte"):
        load_adapter(load_model(base), folder)

    save_file({key: tensor for key, tensor in tensors.items() if key != name}, folder / WEIGHTS)
    with pytest.raises(InputError, match="no lora_"):
        load_adapter(load_model(base), folder)

    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(InputError, match="pickle"):
        load_adapter(load_model(base), folder)


SHAPES: list[Any] = [
    *(None, True, False, 0, -1, 3, 1.5, 10**400, float("nan"), float("inf"), "", "x", "\ud800", "a\x00b"),
    *([], [[]], [["c_attn"]], [{}], [None], ["c_attn", 3], {}, {"x": []}, {"c_attn": 4}),
]


@pytest.fixture
def adapter_config(base: Path, tmp_path: Path) -> dict[str, Any]:
    saved(base, tmp_path / "adapter", LoRA(rank=4, alpha=8.0))
    config: dict[str, Any] = json.loads((tmp_path / "adapter" / CONFIG).read_text())
    return config


def test_a_value_of_any_type_under_any_key_is_refused_or_read(
    base: Path, tmp_path: Path, adapter_config: dict[str, Any]
) -> None:
    keys = {*adapter_config, *adapters._READ, "layers_to_transform", "exclude_modules", "layers_pattern", "unknown"}
    model, refused = load_model(base), 0
    for key in sorted(keys):
        for value in SHAPES:
            (tmp_path / "adapter" / CONFIG).write_text(json.dumps({**adapter_config, key: value}))
            for read in (
                lambda: load_adapter(copy.deepcopy(model), tmp_path / "adapter"),
                lambda: adapters.base_of(tmp_path / "adapter"),
            ):
                try:
                    read()
                except InputError:
                    refused += 1
    assert refused > len(keys) * 3


@pytest.mark.parametrize("content", ["[]", "3", "null", '"x"', "{", ""])
@pytest.mark.parametrize("name", [CONFIG, adapters.BASE])
def test_a_config_that_is_no_object_is_refused_or_ignored(
    base: Path, tmp_path: Path, adapter_config: dict[str, Any], name: str, content: str
) -> None:
    (tmp_path / "adapter" / name).write_text(content)
    if name == CONFIG or content in ("{", ""):
        with pytest.raises(InputError):
            load_adapter(load_model(base), tmp_path / "adapter")
    else:
        load_adapter(load_model(base), tmp_path / "adapter")
