"""What all finetunes share, tested with DPO, and the count of operations against torch's own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.model.adapters import base_of, is_adapter, save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.loaded import inspect
from tuppence.model.lora import LoRA, add_lora
from tuppence.model.saving import save_model
from tuppence.model.weights import load_model
from tuppence.tasks.dpo import DPOConfig, DPOJob, DPORecipe
from tuppence.tasks.finetuning import LoRAConfig, finetuning_flops, forward_flops
from tuppence.tasks.rows import RowFiles
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import train_tokenizer
from tuppence.training.config import TrainConfig

ROWS = [{"prompt": f"Name {n} fruits.", "chosen": "plum " * n, "rejected": "No."} for n in range(1, 21)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tokenizer = train_tokenizer(["### Instruction: Response: Name fruits. plum No."], 280)
    torch.manual_seed(0)
    sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=128, vocab_size=280)
    save_model(GPT(sizes), folder, tokenizer=tokenizer)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(ROWS))
    return path


def config(epochs: float = 2.0, full: bool = False) -> DPORecipe:
    return DPORecipe(
        align=DPOConfig(epochs=epochs, full=full, val_fraction=0.2),
        lora=LoRAConfig(rank=4),
        train=TrainConfig(batch_size=2, accumulation_steps=3, seed=5),
    )


def opened(base: Path, data: Path, val: Path | None = None, **options: Any) -> DPOJob:
    return DPOJob(inspect(base, head="lm"), RowFiles(data, val), Path("x"), config(**options), RunOptions())


def test_a_base_whose_tokenizer_has_no_chat_template_gets_one(base: Path, data: Path) -> None:
    assert "chat_template" not in json.loads((base / "tokenizer_config.json").read_text())
    alignment = opened(base, data)
    assert alignment.tokenizer.has_chat_template
    prompts = [
        alignment.tokenizer.decode(pair.ids[pair.branches == 0].tolist())
        for pair in (*alignment.pairs.train, *alignment.pairs.val)
    ]
    assert sorted(prompts) == sorted(f"### Instruction:\n{row['prompt']}\n\n### Response:\n" for row in ROWS)


def test_an_adapter_is_trained_unless_all_of_the_model_is(base: Path, data: Path) -> None:
    adapter = opened(base, data).lora
    assert adapter is not None
    assert (adapter.rank, adapter.alpha) == (4, 8)  # alpha is twice the rank
    assert opened(base, data, full=True).lora is None


def test_inputs_have_base_tokenizer_and_hashes_of_the_files(base: Path, data: Path, tmp_path: Path) -> None:
    val = tmp_path / "val.json"
    val.write_text(json.dumps([{"prompt": "Name a bird.", "chosen": "wren", "rejected": "No."}]))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (data, val)]
    alone, both = opened(base, data), opened(base, data, val)
    assert alone.inputs.keys() == {"base", "tokenizer", "data"}
    assert alone.inputs["base"]["path"] == str(base)
    assert alone.inputs["data"] == {"path": str(data), "fingerprint": digests[0], "rows": 16}
    assert both.inputs["data"] == {"path": f"{data}, {val}", "fingerprint": "+".join(digests), "rows": 20}


@pytest.mark.parametrize(("epochs", "ranks", "steps"), [(2.0, 1, 5), (2.0, 2, 3), (0.5, 1, 1), (0.01, 4, 1)])
def test_without_a_limit_the_run_has_the_steps_of_its_epochs(
    base: Path, data: Path, epochs: float, ranks: int, steps: int
) -> None:
    # 16 pairs, 6 a step and rank; a run has one step at least
    assert opened(base, data, epochs=epochs).default_steps(ranks) == steps


def test_tokens_per_step_are_the_average_of_the_rows(base: Path, data: Path) -> None:
    found = opened(base, data)
    lengths = [len(pair.ids) for pair in found.pairs.train]
    assert found.tokens_per_step == round(6 * sum(lengths) / len(lengths))


def test_the_settings_of_a_run_are_the_recipe_s_sections(base: Path, data: Path) -> None:
    recipe = config()
    assert opened(base, data).settings == {"align": recipe.align, "lora": recipe.lora}


@pytest.mark.parametrize(
    ("reference", "steps", "precompute"),
    [("auto", 1, False), ("auto", 99, True), ("online", 99, False), ("precomputed", 1, True)],
)
def test_the_reference_is_precomputed_if_that_is_less_work(
    base: Path, data: Path, reference: Any, steps: int, precompute: bool
) -> None:
    recipe = config()
    align = recipe.align.model_copy(update={"reference": reference})
    train = recipe.train.model_copy(update={"max_steps": steps, "eval_every": 0})
    recipe = recipe.model_copy(update={"align": align, "train": train})
    found = DPOJob(inspect(base, head="lm"), RowFiles(data), Path("x"), recipe, RunOptions())
    assert found.precompute is precompute


def test_several_ranks_do_not_precompute_what_each_of_them_sees_a_part_of(
    base: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened(base, data, epochs=2.0).precompute
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert not opened(base, data, epochs=2.0).precompute
    assert opened(base, data, epochs=20.0).precompute


def test_a_missing_base_or_a_file_without_pairs_is_refused(base: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        opened(tmp_path / "nowhere", data)
    data.write_text(json.dumps([{**row, "chosen": row["rejected"]} for row in ROWS]))
    with pytest.raises(InputError, match="equal in all"):
        opened(base, data)


# ---- adapters -------------------------------------------------------------------------------------------------------


def test_alpha_is_twice_the_rank_unless_it_is_given() -> None:
    assert [LoRAConfig(rank=8, alpha=alpha).resolve().alpha for alpha in (None, 5.0)] == [16.0, 5.0]


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(InputError, match="nowhere"):
        LoRAConfig(targets=("nowhere",)).resolve()


def adapted(base: Path) -> GPT:
    model = load_model(base)
    add_lora(model, config().lora.resolve())
    return model


def test_an_adapter_names_its_base_and_is_written_only_if_one_was_trained(
    base: Path, data: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    for full in (True, False):
        assert not run.adapter.exists()
        job = opened(base, data, full=full)
        job.out = run.path
        job.write_adapter(adapted(base))
    assert is_adapter(run.adapter)
    assert base_of(run.adapter) == base


def test_no_adapter_is_written_on_a_base_that_is_an_adapter_and_an_earlier_one_is_removed(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Run(tmp_path / "first").adapter
    save_adapter(adapted(base), first, config().lora.resolve(), base=base, base_sha256="")
    run = Run(tmp_path / "run")
    for folder in (base, first):
        job = opened(folder, data)
        job.out = run.path
        job.write_adapter(adapted(base))
        assert run.adapter.exists() == (folder == base)
    assert "its base is an adapter too" in " ".join(capsys.readouterr().err.split())


# ---- floating-point operations --------------------------------------------------------------------------------------


SIZES = ModelConfig(n_layers=3, n_heads=4, d_model=64, context_length=32, vocab_size=101)


def test_rows_as_long_as_the_context_cost_as_much_as_pretraining() -> None:
    assert finetuning_flops(SIZES, [32], logits_share=1.0) == pytest.approx(SIZES.flops_per_token())
    assert forward_flops(SIZES, [32], logits_share=1.0) == pytest.approx(SIZES.flops_per_token() / 3)


@pytest.mark.parametrize("adapter", [False, True])
def test_the_count_agrees_with_torch_s_without_embedding_lookups(adapter: bool) -> None:
    torch.manual_seed(0)
    model, length = GPT(SIZES), 24
    if adapter:
        add_lora(model, LoRA(rank=1))
    tokens_BT = torch.randint(0, 101, (2, length))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.loss(tokens_BT, tokens_BT).backward()
    counted = counter.get_total_flops() / tokens_BT.numel()
    said = finetuning_flops(SIZES, [length], logits_share=1.0, frozen=adapter)
    assert said == pytest.approx(counted, rel=0.05)


def test_a_head_alone_has_no_backward_pass_and_one_block_a_part_of_it() -> None:
    forward = forward_flops(SIZES, [10], logits_share=0.0)
    assert finetuning_flops(SIZES, [10], logits_share=0.0, depth=0.0) == forward
    assert finetuning_flops(SIZES, [10], logits_share=0.0, depth=1 / 3) == pytest.approx(forward * (1 + 2 / 3))
