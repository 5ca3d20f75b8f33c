"""`align ppo` as a person uses it: kills, equivalences, what others open, and bad input."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.integration.command_lines import column, digest, finetune_line
from tests.integration.conftest import Run, Start
from tests.kills import TWO_THREADS, kill_until_done, logged_rows
from tests.ranks import as_ranks

from tuppence.core.json_lines import read_json_lines
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.saving import save_scorer
from tuppence.model.weights import load_model
from tuppence.tokenizer import Tokenizer

STEPS = 20


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty prompts with two answers; PPO reads the prompts alone."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [{"prompt": f"Say {word}.", "chosen": word, "rejected": "no"} for word in map(str, range(100, 160))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_reward(folder: Path, tokenizer: Tokenizer, *, seed: int = 0) -> Path:
    """A random reward model; what it likes does not matter here."""
    torch.manual_seed(seed)
    sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=64, vocab_size=tokenizer.vocab_size)
    scorer = SequenceScorer(GPT(sizes), 1)
    with torch.no_grad():
        scorer.gpt.token_embedding.weight.normal_()
    save_scorer(scorer, folder, labels=["reward"], tokenizer=tokenizer)
    return folder


@pytest.fixture(scope="module")
def reward(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reward(tmp_path_factory.mktemp("reward") / "model", Tokenizer.load(base / "model"))


def line(base: Path, reward: Path, pairs: Path, out: Path, *more: object, **options: str) -> list[str]:
    given = {"align__rollout_prompts": "16", "align__max_new_tokens": "8", "train__learning_rate": "0.003"}
    # a rate that does not depend on the number of steps: the tests stop early and go on
    given |= {"train__warmup_steps": "0", "train__schedule": "constant", **options}
    return finetune_line("align ppo", base, pairs, out, "--reward", reward, *more, steps=STEPS, **given)


@pytest.fixture(scope="module")
def whole(tuppence: Run, base: Path, reward: Path, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run: five rollouts of sixteen, two epochs in two minibatches each."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = tuppence(*line(base, reward, pairs, out, train__eval_every="10"), env=TWO_THREADS)
    assert done.returncode == 0, done.stderr
    return out


def test_the_result_is_a_chat_model_with_an_adapter_that_peft_opens(base: Path, whole: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    merged, tokens = load_model(whole), torch.tensor([[5, 6, 7, 8]])
    plain = transformers.AutoModelForCausalLM.from_pretrained(base / "model")
    with torch.no_grad():
        theirs = peft.PeftModel.from_pretrained(plain, whole / "adapter").eval()(tokens).logits
        assert (theirs - merged(tokens)).abs().max() < 1e-5
        assert (load_model(base)(tokens) - merged(tokens)).abs().max() > 1e-3
    assert transformers.AutoTokenizer.from_pretrained(whole / "model").chat_template


def test_rewards_kl_and_the_signs_of_degenerate_text_are_recorded_in_the_run(whole: Path) -> None:
    (first, *_) = read_json_lines(whole / "metrics.jsonl")
    assert first["val/ratio"] == pytest.approx(1, abs=1e-5)
    assert first["objective/kl"] == 0
    assert {"objective/scores", "objective/entropy", "objective/rlhf_reward", "policy/clipfrac_avg"} <= first.keys()
    assert {"loss/policy_avg", "loss/value_avg", "policy/approxkl_avg", "objective/finished"} <= first.keys()
    assert column(whole, "val_repeated_4grams")
    assert column(whole, "val_base_loss")

    held_out = list(read_json_lines(whole / "held-out.jsonl"))
    assert len(held_out) == 6
    for row in held_out:
        assert row["prompt"].startswith("### Instruction:\nSay 1")
        assert row["before"]["kl"] == 0
        assert {"text", "scores", "answer_tokens", "repeated_4grams", "base_loss"} <= row["after"].keys()
    record = (whole / "run.yaml").read_text()
    assert "base_perplexity" in record
    assert "distinct_2" in record


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_sigkill_at_random_moments_changes_no_bit(
    start_tuppence: Start, base: Path, reward: Path, pairs: Path, whole: Path, tmp_path: Path, seed: int
) -> None:
    options = {"train__eval_every": "10", "train__checkpoint_every": "3"}
    words = line(base, reward, pairs, tmp_path / "run", **options)
    start = partial(start_tuppence, *words, env=TWO_THREADS)
    kill_until_done(start, tmp_path / "run", seed, 4, progress=logged_rows, patience=(1, 3))
    assert digest(tmp_path / "run", STEPS, "held-out.jsonl") == digest(whole, STEPS, "held-out.jsonl")


def test_run_stopped_within_a_rollout_continues_to_the_same_bits(
    tuppence: Run, base: Path, reward: Path, pairs: Path, whole: Path, tmp_path: Path
) -> None:
    command = line(base, reward, pairs, tmp_path / "run", train__eval_every="10")
    for steps in ("7", str(STEPS)):
        command[command.index("--max-steps") + 1] = steps
        done = tuppence(*command, env=TWO_THREADS)
        assert done.returncode == 0, done.stderr
    ours, theirs = digest(tmp_path / "run", STEPS), digest(whole, STEPS)
    last = [name for name in ours if name.startswith("checkpoints")]  # the best may be of step 7, scored here alone
    assert len(last) == 3
    assert {name: ours[name] for name in last} == {name: theirs[name] for name in last}


@pytest.mark.parametrize("divided", ["accumulation", "ranks"])
def test_accumulation_and_two_ranks_give_the_same_losses(
    tuppence: Run,
    start_tuppence: Start,
    base: Path,
    reward: Path,
    pairs: Path,
    whole: Path,
    tmp_path: Path,
    divided: str,
) -> None:
    parts = {"train__batch_size": "1", "train__accumulation_steps": "8"}
    if divided == "ranks":
        parts = {"train__batch_size": "4"}
    words = line(base, reward, pairs, tmp_path / "run", train__eval_every="10", **parts)
    for done in as_ranks(start_tuppence, [words, words]) if divided == "ranks" else [tuppence(*words)]:
        assert done.returncode == 0, done.stderr
    for key in ("loss", "val_loss", "objective/scores", "policy/approxkl_avg"):
        assert column(tmp_path / "run", key) == pytest.approx(column(whole, key), abs=1e-4)


@pytest.mark.parametrize("flag", ["--full", "--budget"])
def test_full_finetuning_and_a_budget(
    tuppence: Run, base: Path, reward: Path, pairs: Path, tmp_path: Path, flag: str
) -> None:
    out = tmp_path / "run"
    command = line(base, reward, pairs, out, flag, "--json")
    if flag == "--budget":
        command[-2:] = ["--budget", "0.02", "--rate", "4", "--json"]
        del command[command.index("--max-steps") : command.index("--max-steps") + 2]
    done = tuppence(*command)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert 0 <= summary["result"]["dollars"] <= 0.02
    assert {"before", "after", "gain"} == summary["held_out"].keys()
    assert summary["held_out"]["before"]["kl"] == 0
    assert (out / "adapter").exists() == (flag == "--budget")


def test_wrong_reward_model_or_flags_are_refused_in_two_lines(
    tuppence: Run, base: Path, reward: Path, pairs: Path, tmp_path: Path
) -> None:
    """What else is refused: tests/tasks/ppo/test_run.py."""
    out = tmp_path / "run"
    for words, said in (
        (line(base, base, pairs, out), "it has no scores"),
        (line(base, reward, pairs, out, "--lora", 4, "--full"), "exclude each other"),
    ):
        done = tuppence(*words)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") <= 2
        assert not out.exists()


def test_a_run_is_not_continued_with_another_reward_model(
    tuppence: Run, base: Path, pairs: Path, whole: Path, tmp_path: Path
) -> None:
    other = write_reward(tmp_path / "other", Tokenizer.load(base / "model"), seed=1)
    done = tuppence(*line(base, other, pairs, whole, train__eval_every="10"))
    assert done.returncode == 2
    assert "was started on other reward" in done.stderr
