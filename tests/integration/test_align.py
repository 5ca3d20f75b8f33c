"""`align reward` and `align dpo` as a person uses them: kills, equivalences, what others open, and bad input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from tests.integration.command_lines import finetune_line, losses
from tests.integration.conftest import Check, Run, Start
from tests.ranks import as_ranks

from tuppence.core.json_lines import read_json_lines
from tuppence.model.weights import load_model, load_scorer, open_model
from tuppence.tokenizer import Tokenizer

STEPS = 18


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pairs: what is asked for is preferred to something else."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    words = ["cat", "tree", "moon", "fish", "house", "bird"]
    rows = [
        {"prompt": f"Say {word} {count} times.", "chosen": " ".join([word] * count), "rejected": "No. " * (count % 4)}
        for word in words
        for count in range(1, 11)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def line(verb: str, base: Path, pairs: Path, out: Path, *more: object, steps: int = STEPS, **options: str) -> list[str]:
    return finetune_line(f"align {verb}", base, pairs, out, *more, steps=steps, **options)


def test_dpo_learns_and_leaves_a_model_an_adapter_and_answers(
    tuppence: Run, base: Path, pairs: Path, tmp_path: Path
) -> None:
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    out = tmp_path / "run"
    done = tuppence(*line("dpo", base, pairs, out, "--lora", 4, train__eval_every="9", train__learning_rate="0.02"))
    assert done.returncode == 0, done.stderr
    assert losses(out)[0] == pytest.approx(math.log(2), abs=1e-5)
    scores = [row for row in read_json_lines(out / "metrics.jsonl") if "val_loss" in row]
    assert scores[-1]["val_loss"] < scores[0]["val_loss"] < math.log(2)
    assert scores[-1]["val_rewards/margins"] > 0
    assert scores[-1]["val_rewards/accuracies"] > 0.5

    held_out = list(read_json_lines(out / "held-out.jsonl"))
    assert len(held_out) == 6
    assert {"kind", "prompt", "chosen", "rejected", "before", "after"} == held_out[0].keys()
    merged, tokens = load_model(out), torch.tensor([[5, 6, 7, 8]])
    plain = transformers.AutoModelForCausalLM.from_pretrained(base / "model")
    theirs = peft.PeftModel.from_pretrained(plain, out / "adapter").eval()
    with torch.no_grad():
        assert (theirs(tokens).logits - merged(tokens)).abs().max() < 1e-5
    assert tuppence("report", out).returncode == 0


def test_a_reward_model_is_a_classifier_of_transformers_and_is_evaluated_on_its_held_out_pairs(
    tuppence: Run, base: Path, pairs: Path, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    out = tmp_path / "run"
    done = tuppence(*line("reward", base, pairs, out, "--full", train__eval_every="9", train__learning_rate="0.003"))
    assert done.returncode == 0, done.stderr
    scores = [row for row in read_json_lines(out / "metrics.jsonl") if "val_loss" in row]
    assert scores[-1]["val_loss"] < 0.5

    done = tuppence("evaluate", out, "--json")
    assert done.returncode == 0, done.stderr
    (name, numbers), *others = json.loads(done.stdout).items()
    assert (name, others, numbers["pairs"]) == ("reward", [], 6)
    assert numbers["accuracy"] == pytest.approx(scores[-1]["val_accuracy"])
    assert numbers["margin"] == pytest.approx(scores[-1]["val_margin"], abs=1e-3)
    low, high = numbers["margin_interval"]
    assert low < numbers["margin"] < high

    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(out / "model").eval()
    tokenizer, ours = Tokenizer.load(out / "model"), load_scorer(out)
    assert open_model(out).labels == ("reward",)
    ids = torch.tensor([tokenizer.encode("### Response:\nmoon moon")])
    with torch.no_grad():
        expected = theirs(ids).logits
        torch.testing.assert_close(ours(ids, torch.tensor([ids.shape[1]])), expected)
        ended = torch.nn.functional.pad(ids, (0, 1), value=tokenizer.end_of_text)  # ended or not: the same
        torch.testing.assert_close(theirs(ended).logits, expected)


def test_peft_opens_a_reward_adapter_and_evaluation_on_training_pairs_warns(
    tuppence: Run, base: Path, pairs: Path, tmp_path: Path
) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    out = tmp_path / "run"
    done = tuppence(*line("reward", base, pairs, out, "--lora", "4", "--max-steps", "3"))
    assert done.returncode == 0, done.stderr
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(
        base / "model", num_labels=1, pad_token_id=transformers.GPT2Config.from_pretrained(out / "model").pad_token_id
    )
    theirs = peft.PeftModel.from_pretrained(plain, out / "adapter").eval()
    ids = torch.tensor([Tokenizer.load(out / "model").encode("### Response:\nmoon moon")])
    with torch.no_grad():
        ours = load_scorer(out)(ids, torch.tensor([ids.shape[1]]))
        torch.testing.assert_close(theirs(ids).logits, ours, atol=1e-5, rtol=1e-5)

    assert "was trained on" not in tuppence("evaluate", out).stderr
    done = tuppence("evaluate", out, "--data", pairs)
    told = " ".join(done.stderr.split())
    trained = len((out / "trained-on.txt").read_text().split())
    asked = len(list(read_json_lines(pairs)))
    assert 0 < trained < asked
    assert f"was trained on {trained} of the {asked} rows of {pairs}" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("dpo", ("--lora", "4", "--set", "align.reference=along")),
        ("dpo", ("--lora", "4", "--set", "align.reference=precomputed")),
        ("dpo", ("--full", "--set", "align.reference=along")),
        ("dpo", ("--full", "--set", "align.reference=precomputed")),
        ("reward", ("--lora", "4")),
    ],
)
def test_kills_change_no_bit(
    assert_kills_change_no_bit: Check, base: Path, pairs: Path, verb: str, more: tuple[str, ...]
) -> None:
    options = {"train__checkpoint_every": "2", "train__eval_every": "6"}
    assert_kills_change_no_bit(
        lambda out: line(verb, base, pairs, out, *more, **options), steps=STEPS, kills=2, more="held-out.jsonl"
    )


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["dpo", "reward"])
def test_one_large_batch_equals_eight_small_ones_and_two_ranks(
    tuppence: Run, start_tuppence: Start, base: Path, pairs: Path, tmp_path: Path, verb: str
) -> None:
    for name, (batch, steps) in {"1x8": (8, 1), "8x1": (1, 8)}.items():
        options = {"train__batch_size": str(batch), "train__accumulation_steps": str(steps)}
        done = tuppence(*line(verb, base, pairs, tmp_path / name, "--lora", 4, steps=10, **options))
        assert done.returncode == 0, done.stderr
    rank = line(verb, base, pairs, tmp_path / "ranks", "--lora", 4, steps=10, train__batch_size="4")
    for done in as_ranks(start_tuppence, [rank, rank]):
        assert done.returncode == 0, done.stderr[-2000:]
    whole = losses(tmp_path / "1x8")
    assert len(whole) == 10
    assert losses(tmp_path / "8x1") == pytest.approx(whole, abs=2e-5)
    assert losses(tmp_path / "ranks") == pytest.approx(whole, abs=2e-5)


def test_equal_pairs_are_left_out_and_the_budget_is_kept(
    tuppence: Run, base: Path, pairs: Path, tmp_path: Path
) -> None:
    rows = pairs.read_text() + json.dumps({"prompt": "Say ox.", "chosen": "ox", "rejected": " ox "}) + "\n"
    (tmp_path / "pairs.jsonl").write_text(rows)
    out = tmp_path / "run"
    words = line("dpo", base, tmp_path / "pairs.jsonl", out, "--budget", 0.02, "--rate", 4.0, "--json", steps=100_000)
    done = tuppence(*words)
    assert done.returncode == 0, done.stderr
    assert "left out 1 pair" in done.stderr
    result = json.loads(done.stdout)
    assert "budget" in result["ended_because"]
    assert result["result"]["dollars"] <= 0.02
    assert (out / "model" / "model.safetensors").is_file()


def test_held_out_pairs_are_never_trained_on(tuppence: Run, base: Path, pairs: Path, tmp_path: Path) -> None:
    val = tmp_path / "val.jsonl"
    val.write_text("".join(pairs.read_text().splitlines(keepends=True)[:5]))
    done = tuppence(*line("reward", base, pairs, tmp_path / "run", "--val", val, steps=1))
    assert done.returncode == 0, done.stderr
    assert "5 pairs" in done.stderr
    assert "rows: 55" in (tmp_path / "run" / "run.yaml").read_text()


def test_long_prompts_are_cut_and_counted(tuppence: Run, base: Path, pairs: Path, tmp_path: Path) -> None:
    long = {"prompt": "Say why. " * 200, "chosen": "Because.", "rejected": "No."}
    (tmp_path / "pairs.jsonl").write_text(pairs.read_text() + json.dumps(long) + "\n")
    done = tuppence(*line("dpo", base, tmp_path / "pairs.jsonl", tmp_path / "run", steps=1))
    assert done.returncode == 0, done.stderr
    assert "cut to the context of 64 tokens: 11 prompts at the left" in done.stderr


@pytest.mark.parametrize("verb", ["dpo", "reward"])
@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([{"prompt": "Add.", "chosen": "5"}], "row 1: it has no 'rejected' answer"),
        ([{"prompt": "Add.", "chosen": "5", "rejected": "5"}], "equal in all"),
        ([{"prompt": "Add.", "chosen": "5", "rejected": "6"}] * 3, "cannot be split in two"),
        ([{"text": "Add."}], "no preferences in a known format"),
    ],
)
def test_bad_rows_end_in_one_line(
    tuppence: Run, base: Path, tmp_path: Path, verb: str, rows: list[dict[str, str]], word: str
) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(rows))
    done = tuppence(*line(verb, base, tmp_path / "bad.json", tmp_path / "run"))
    assert done.returncode == 2
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run_with_its_last_good_checkpoint(
    tuppence: Run, base: Path, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = {"train__learning_rate": "10", "train__gradient_clip": "0", "train__warmup_steps": "0"}
    words = line("reward", base, pairs, out, "--full", steps=200, train__checkpoint_every="1", **options)
    done = tuppence(*words, "--set", "train.optimizer=adamw", "--set", "train.weight_decay=100")
    assert done.returncode == 2, done.stderr
    assert "everything it saved before is intact" in done.stderr
    assert list((out / "checkpoints").glob("step-*"))


def test_dpo_refuses_a_reward_model_as_its_base(tuppence: Run, base: Path, pairs: Path, tmp_path: Path) -> None:
    assert tuppence(*line("reward", base, pairs, tmp_path / "reward", steps=1)).returncode == 0
    done = tuppence(*line("dpo", tmp_path / "reward", pairs, tmp_path / "run", steps=1))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    done = tuppence(*line("dpo", base, pairs, tmp_path / "run", "--full", "--lora", 8))
    assert (done.returncode, "exclude" in done.stderr) == (2, True)
