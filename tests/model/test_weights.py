from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.model.config import ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.model.saving import save_model
from tuppence.model.weights import load_model, open_model, unused_generation_settings
from tuppence.tokenizer import Tokenizer, train_tokenizer

SIZES = [
    ModelConfig(n_layers=1, n_heads=1, d_model=3, context_length=5, vocab_size=7),
    ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=61),
    ModelConfig(n_layers=3, n_heads=5, d_model=35, context_length=17, vocab_size=101, layer_norm_epsilon=1e-3),
]


def inputs(config: ModelConfig) -> torch.Tensor:
    shape = (3, config.context_length)
    return torch.randint(0, config.vocab_size, shape, generator=torch.Generator().manual_seed(1))


def assert_same_logits(ours: GPT, theirs: Any, tolerance: float = 1e-4) -> None:
    tokens_BT = inputs(ours.config)
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens_BT), theirs(tokens_BT).logits, rtol=0, atol=tolerance)


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], **options: Any) -> None:
    tensors = change(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()  # it may still be mapped into memory
    save_file(tensors, folder / "model.safetensors", **options)


def reconfigure(folder: Path, **change: Any) -> None:
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, **change}))


@pytest.mark.parametrize("config", SIZES)
def test_logits_equal_transformers_for_a_model_that_transformers_saved(
    config: ModelConfig, saved: Callable[..., tuple[Any, Path]]
) -> None:
    theirs, folder = saved(config)
    assert_same_logits(load_model(folder), theirs)


def test_a_run_folder_means_its_model(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[0]), tmp_path / "run" / "model")
    found = open_model(tmp_path / "run")
    assert (found.folder, found.place, found.adapter) == (tmp_path / "run", tmp_path / "run" / "model", None)
    assert load_model(str(tmp_path / "run")).config == SIZES[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_files_in_other_precisions_are_read(dtype: torch.dtype, lively: Callable[..., GPT], tmp_path: Path) -> None:
    model = lively(SIZES[1])
    save_model(model, tmp_path / "model", dtype=dtype)
    loaded = load_model(tmp_path / "model")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name].to(dtype).float()), name


def test_parameters_come_in_the_precision_asked_for(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[1]), tmp_path / "model")
    loaded = load_model(tmp_path / "model", dtype=torch.bfloat16, device="cpu")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}


def _without(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in state.items() if key != name}


VARIANTS: dict[str, Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]] = {
    "no prefix": lambda state: {name.removeprefix("transformer."): tensor for name, tensor in state.items()},
    "explicit head": lambda state: {**state, "lm_head.weight": state["transformer.wte.weight"].clone()},
    "mask buffers": lambda state: {
        **state,
        "transformer.h.0.attn.bias": torch.ones(1, 1, 32, 32, dtype=torch.uint8),
        "transformer.h.0.attn.masked_bias": torch.tensor(-1e4),
    },
}
VARIANTS["the head in the place of the embedding"] = lambda state: {
    "lm_head.weight": state["transformer.wte.weight"],
    **_without(state, "transformer.wte.weight"),
}
VARIANTS["all of them"] = lambda state: VARIANTS["no prefix"](
    VARIANTS["mask buffers"](VARIANTS["explicit head"](state))
)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_variants_that_transformers_reads_are_read_alike(
    variant: str, metadata: dict[str, str] | None, saved: Callable[..., tuple[Any, Path]]
) -> None:
    theirs, folder = saved(SIZES[1])
    rewrite(folder, VARIANTS[variant], metadata=metadata)
    assert_same_logits(load_model(folder), theirs)


def test_a_head_is_not_used_as_embedding_if_the_config_does_not_tie_them(
    saved: Callable[..., tuple[Any, Path]],
) -> None:
    _, folder = saved(SIZES[1])
    rewrite(folder, VARIANTS["the head in the place of the embedding"])
    reconfigure(folder, tie_word_embeddings=False)
    with pytest.raises(InputError, match=r"tensor transformer\.wte\.weight is missing"):
        load_model(folder)


def test_a_git_lfs_pointer_instead_of_weights_is_named(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[1]), tmp_path / "model")
    for name in ("model.safetensors", "config.json"):
        (tmp_path / "model" / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
        with pytest.raises(InputError, match=rf"{name} is a Git LFS pointer") as caught:
            load_model(tmp_path / "model")
        assert "git lfs pull" in caught.value.hint


def test_ignored_keys_of_generation_config_are_listed(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[1]), tmp_path / "model")
    assert unused_generation_settings(tmp_path / "model") == []
    values = {"eos_token_id": 1, "temperature": 0.7, "top_k": None, "repetition_penalty": 1.2, "use_cache": True}
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps(values))
    assert unused_generation_settings(tmp_path / "model") == ["temperature", "repetition_penalty"]


@pytest.mark.parametrize("named", [lambda stop: [256, stop], lambda stop: stop])
def test_generation_stops_where_transformers_stops(
    named: Callable[[int], Any], lively: Callable[..., GPT], tmp_path: Path
) -> None:
    tokenizer = train_tokenizer(["abc"], 257)
    model = lively(ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=64, vocab_size=257))
    save_model(model, tmp_path / "model", tokenizer=tokenizer)
    prompt = tokenizer.encode("abc")
    free = generate(model, [prompt], Sampling(max_tokens=12, temperature=0))[0].ids
    stop = free[4]  # an ordinary token
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps({"eos_token_id": named(stop)}))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model").generate(
        torch.tensor([prompt]), max_new_tokens=12, do_sample=False, pad_token_id=256
    )
    read = Tokenizer.load(tmp_path / "model")
    ours = generate(model, [prompt], Sampling(max_tokens=12, temperature=0), stop_ids=read.stop_ids)[0]
    assert ours.finish_reason == "stop"
    assert [*prompt, *ours.ids, stop] == theirs[0].tolist()


def test_sharded_models_are_read(saved: Callable[..., tuple[Any, Path]]) -> None:
    theirs, folder = saved(SIZES[1], max_shard_size="9KB")
    assert (folder / "model.safetensors.index.json").exists()
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert_same_logits(load_model(folder), theirs)


QKV = "transformer.h.1.attn.c_attn.weight"


DAMAGE: dict[str, tuple[Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], str]] = {
    "missing": (lambda state: _without(state, QKV), f"tensor {QKV} is missing"),
    "unexpected": (lambda state: {**state, "transformer.h.1.attn.extra": torch.zeros(1)}, r"h\.1\.attn\.extra"),
    "a layer too many": (
        lambda state: {**state, "transformer.h.2.ln_1.bias": torch.zeros(16)},
        r"h\.2\.ln_1\.bias",
    ),
    "classifier": (
        lambda state: {**state, "score.weight": torch.zeros(2, 16)},
        "score.weight: this is a classifier",
    ),
    "transposed": (
        lambda state: {**state, QKV: state[QKV].t().contiguous()},
        r"c_attn.weight has shape \(48, 16\), and config.json requires \(16, 48\)",
    ),
    "integers": (lambda state: {**state, QKV: state[QKV].to(torch.int8)}, f"tensor {QKV} is stored as I8"),
    "not finite": (
        lambda state: {**state, QKV: state[QKV].index_fill(0, torch.tensor([3]), torch.nan)},
        f"tensor {QKV} holds NaN or infinity",
    ),
    "twice": (lambda state: {**state, QKV.removeprefix("transformer."): state[QKV].clone()}, "is there twice"),
    "untied head": (lambda state: {**state, "lm_head.weight": torch.zeros(61, 16)}, "lm_head.weight differs"),
    "head of another shape": (
        lambda state: {**state, "lm_head.weight": torch.zeros(60, 16)},
        "lm_head.weight has shape",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_weights_are_refused_with_file_and_tensor(
    damage: str, lively: Callable[..., GPT], tmp_path: Path
) -> None:
    change, message = DAMAGE[damage]
    save_model(lively(SIZES[1]), tmp_path / "model")
    rewrite(tmp_path / "model", change)
    with pytest.raises(InputError, match=message) as caught:
        load_model(tmp_path / "model")
    assert str(tmp_path / "model") in caught.value.message
    assert caught.value.hint


def test_absurd_sizes_are_refused_before_anything_is_allocated(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[1]), tmp_path / "model")
    reconfigure(tmp_path / "model", n_embd=32_768, n_layer=500, vocab_size=4_000_000)  # 26 terabytes
    with pytest.raises(InputError, match=r"h\.2\.ln_1\.weight is missing"):
        load_model(tmp_path / "model")


def test_an_error_of_the_config_names_its_path(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[1]), tmp_path / "model")
    reconfigure(tmp_path / "model", activation_function="relu")
    with pytest.raises(InputError, match="activation_function is 'relu'") as caught:
        load_model(tmp_path / "model")
    assert str(tmp_path / "model" / "config.json") in caught.value.message
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(CorruptFileError, match="not valid JSON"):
        load_model(tmp_path / "model")


def test_folders_without_a_model_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no model"):
        load_model(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="adapter"):
        load_model(tmp_path)


def test_a_pickle_is_never_opened(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[1]), tmp_path / "model")
    os.replace(tmp_path / "model" / "model.safetensors", tmp_path / "model" / "pytorch_model.bin")  # noqa: PTH105
    with pytest.raises(InputError, match="pickles"):
        load_model(tmp_path / "model")


def test_gpt2_itself_has_the_published_number_of_parameters_on_disk(tmp_path: Path) -> None:
    from tuppence.model.config import PRESETS
    from tuppence.model.hugging_face import to_hugging_face

    with torch.device("meta"):
        state = to_hugging_face(GPT(PRESETS["gpt2-124m"]).state_dict())
    assert sum(tensor.numel() for tensor in state.values()) == 124_439_808
    assert state["transformer.h.0.attn.c_attn.weight"].shape == (768, 2304)


def test_reading_a_model_does_not_import_torchs_compiler(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[0]), tmp_path / "model")
    code = "import sys; from tuppence.model.weights import load_model; load_model(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout.split()
    assert "torch._dynamo" not in done.stdout.split()  # two seconds of every command
