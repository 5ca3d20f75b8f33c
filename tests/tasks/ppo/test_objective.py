"""PPO in the training loop, with a reward whose optimum is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.tasks.ppo.conftest import CountingReward, base
from tests.training.toy import toy_loop, weights

from tuppence.core.errors import NonFiniteError
from tuppence.core.json_lines import read_json_lines
from tuppence.cost.limits import Limits
from tuppence.tasks.ppo.answers import GenerationConfig
from tuppence.tasks.ppo.config import PPOConfig, PPORecipe
from tuppence.tasks.ppo.objective import PPO
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import World
from tuppence.training.execution import Execution
from tuppence.training.loop import Loop

Policy = Callable[..., PolicyWithValue]
PROMPTS = [[3 + number, *range(20, 20 + number % 5)] for number in range(24)]
SETTINGS = {"learning_rate": 5e-3, "warmup_steps": 0, "schedule": "constant", "batch_size": 8, "weight_decay": 0.0}


def objective(
    tokenizer: Tokenizer,
    *,
    ranks: int = 1,
    batch: tuple[int, int] = (8, 1),
    **choice: object,
) -> PPO:
    given = {"rollout_prompts": 16, "max_new_tokens": 6, "missing_eos_penalty": 0.0, **choice}
    train = TrainConfig(batch_size=batch[0], accumulation_steps=batch[1])
    config = PPORecipe(align=PPOConfig(**given), train=train)
    models = (base().eval().requires_grad_(False), CountingReward())
    return PPO(PROMPTS[4:], PROMPTS[:4], *models, GenerationConfig(6, 1.0, tokenizer), config, ranks)


def ppo_loop(folder: Path, ppo: PPO, model: PolicyWithValue, steps: int, **settings: object) -> Loop:
    return toy_loop(folder, ppo, Limits(max_steps=steps), model=model, **{**SETTINGS, **settings})


def test_the_first_update_starts_at_ratio_one_kl_zero_and_follows_the_policy_gradient(
    tokenizer: Tokenizer, policy: Policy
) -> None:
    model = policy().train()
    ppo = objective(tokenizer, vf_coef=0.0)
    ppo.prepare(0, model)
    assert ppo.gauges()["objective/kl"] == 0.0
    (batch,) = ppo.batches(0, 0, 1)
    targets = int((batch[-1] != -100).sum())
    loss, metrics = ppo.loss(model, *batch)
    assert float(metrics["val/ratio"]) / targets == pytest.approx(1, abs=1e-5)
    assert float(metrics["policy/approxkl_avg"].detach()) == pytest.approx(0, abs=1e-8)
    assert float(metrics["policy/clipfrac_avg"]) == 0

    loss.backward()
    trained = [parameter for name, parameter in model.named_parameters() if name.endswith("lora_B")]
    found = [parameter.grad.clone() for parameter in trained if parameter.grad is not None]
    model.zero_grad()
    tokens, _, _, advantages, _, targets_BT = batch
    scores = torch.log_softmax(model.gpt(tokens), dim=-1)
    mask = targets_BT != -100
    chosen = scores.gather(2, targets_BT.clamp(min=0)[..., None])[..., 0]
    (-(advantages * chosen)[mask].sum()).backward()  # REINFORCE: -Σ A ∇ log π
    for gradient, parameter in zip(found, trained, strict=True):
        assert parameter.grad is not None
        assert torch.allclose(gradient, parameter.grad, atol=1e-5)


@pytest.mark.parametrize("full", [False, True])
def test_a_reward_that_counts_letters_rises(tokenizer: Tokenizer, policy: Policy, tmp_path: Path, full: bool) -> None:
    ppo = objective(tokenizer, kl_coefficient=0.01, target_kl=None, rollout_prompts=64, batch=(32, 1))
    ppo_loop(tmp_path, ppo, policy(full=full), 60, learning_rate=0.02, eval_every=4, beta2=0.99).run()
    rows = list(read_json_lines(tmp_path / "metrics.jsonl"))
    scores = [row["objective/scores"] for row in rows if "objective/scores" in row]
    assert scores[0] < 0.2  # 13 letters of 265 are liked
    assert scores[-1] > 0.6
    assert rows[0]["val/ratio"] == pytest.approx(1, abs=1e-4)
    held_out = [row for row in rows if "val_scores" in row]
    assert held_out[-1]["val_scores"] > 0.6
    assert held_out[-1]["val_kl"] > 1  # it has gone far from the base, and says so
    assert held_out[-1]["val_loss"] < held_out[0]["val_loss"] - 1


def test_a_large_kl_coefficient_keeps_the_policy_close(tokenizer: Tokenizer, policy: Policy, tmp_path: Path) -> None:
    kl = {}
    for beta in (0.0, 5.0):
        folder = tmp_path / str(beta)
        ppo = objective(tokenizer, kl_coefficient=beta, target_kl=None, rollout_prompts=32, batch=(32, 1))
        ppo_loop(folder, ppo, policy(), 24, learning_rate=0.02).run()
        kl[beta] = [row for row in read_json_lines(folder / "metrics.jsonl") if "objective/kl" in row][-1][
            "objective/kl"
        ]
    assert kl[0.0] > 4
    assert abs(kl[5.0]) < 0.5


@pytest.mark.parametrize("stopped_at", [1, 3, 4, 5, 8, 11])
def test_a_run_stopped_anywhere_in_a_rollout_ends_in_the_same_bits(
    tokenizer: Tokenizer, policy: Policy, tmp_path: Path, stopped_at: int
) -> None:
    """Rollouts are made at steps 0, 4, 8; after 4 and 8 steps the next one is not there yet."""
    whole = ppo_loop(tmp_path / "whole", objective(tokenizer), policy(), 12)
    whole.run()
    ppo_loop(tmp_path / "cut", objective(tokenizer), policy(), stopped_at).run()
    torch.manual_seed(99)
    rest = ppo_loop(tmp_path / "cut", objective(tokenizer), policy(seed=0), 12)
    rest.run()
    assert torch.equal(weights(rest), weights(whole))
    ours, theirs = (
        {
            row["step"]: row["objective/scores"]
            for row in read_json_lines(tmp_path / name / "metrics.jsonl")
            if "loss" in row
        }
        for name in ("cut", "whole")
    )
    assert ours == theirs


def test_a_rollout_made_again_after_an_abandoned_step_is_not_counted_twice(
    tokenizer: Tokenizer, policy: Policy
) -> None:
    model, ppo = policy(), objective(tokenizer)
    ppo.prepare(0, model)
    before = ppo.state()
    ppo.prepare(0, model)  # the step was given up after its rollout, and is tried again
    again = objective(tokenizer)
    again.load_state(before)
    again.prepare(0, model)  # or the process died in between
    for state in (ppo.state(), again.state()):
        assert state.keys() == before.keys()
        assert all(torch.equal(state[name], before[name]) for name in before)


def test_eight_accumulation_steps_of_one_equal_one_of_eight(
    tokenizer: Tokenizer, policy: Policy, tmp_path: Path
) -> None:
    for name, batch in (("whole", (8, 1)), ("parts", (1, 8))):
        settings = {"batch_size": batch[0], "accumulation_steps": batch[1]}
        ppo_loop(tmp_path / name, objective(tokenizer, batch=batch), policy(), 8, **settings).run()
    whole, parts = (list(read_json_lines(tmp_path / name / "metrics.jsonl")) for name in ("whole", "parts"))
    for ours, theirs in zip(whole, parts, strict=True):
        for key in ("loss", "val_loss", "objective/scores", "grad_norm", "policy/approxkl_avg"):
            assert ours.get(key) == pytest.approx(theirs.get(key), abs=1e-4)


@pytest.mark.parametrize("ranks", [2, 3])
def test_several_ranks_divide_the_minibatch_of_one_rank(tokenizer: Tokenizer, policy: Policy, ranks: int) -> None:
    model = policy()
    one, several = objective(tokenizer, batch=(6, 1)), objective(tokenizer, ranks=ranks, batch=(6 // ranks, 1))
    for ppo in (one, several):
        ppo.prepare(0, model)
    assert one.steps_per_rollout == several.steps_per_rollout == 6
    for step in range(6):

        def sums(batches: list[tuple[torch.Tensor, ...]]) -> float:
            return sum(float(batch[3][batch[-1] != -100].double().sum()) for batch in batches)

        shares = [batch for rank in range(ranks) for batch in several.batches(step, rank, ranks)]
        assert sums(shares) == pytest.approx(sums(one.batches(step, 0, 1)), abs=1e-6)


def test_every_answer_is_trained_on_once_an_epoch(tokenizer: Tokenizer, policy: Policy) -> None:
    ppo = objective(tokenizer, batch=(5, 1))  # 16 answers in minibatches of at most 5
    ppo.prepare(0, policy())
    rollout = ppo.state()["rollout.advantages"]
    for epoch in range(2):
        steps = range(4 * epoch, 4 * epoch + 4)
        seen = [row[row != 0] for step in steps for batch in ppo.batches(step, 0, 1) for row in batch[3]]
        assert sorted(float(row.sum()) for row in seen) == pytest.approx(sorted(rollout.sum(1).tolist()), abs=1e-5)
    assert not torch.equal(ppo.batches(0, 0, 1)[0][0], ppo.batches(4, 0, 1)[0][0])  # in another order


def test_scores_are_measured_from_the_base_s_and_beta_moves_with_the_kl(tokenizer: Tokenizer, policy: Policy) -> None:
    ppo = objective(tokenizer, rollout_prompts=64, kl_coefficient=0.2, target_kl=1.0, kl_gain=1.0)
    ppo.prepare(0, policy())
    state, gauges = ppo.state(), ppo.gauges()
    assert float(state["ppo.score_mean"]) == pytest.approx(gauges["objective/scores"])
    assert gauges["objective/rlhf_reward"] == pytest.approx(0, abs=1e-6)
    assert gauges["objective/kl_coefficient"] == 0.2
    assert float(state["ppo.kl_coefficient"]) == pytest.approx(0.16)  # no KL yet: a fifth less


def test_a_state_of_another_objective_or_another_rollout_size_is_refused(tokenizer: Tokenizer, policy: Policy) -> None:
    ppo = objective(tokenizer)
    with pytest.raises(ValueError, match="no state of PPO"):
        ppo.load_state({"reference": torch.zeros(3)})
    larger = objective(tokenizer, rollout_prompts=32)
    larger.prepare(0, policy())
    with pytest.raises(ValueError, match="has 32 answers"):
        ppo.load_state(larger.state())


def test_a_reward_that_becomes_nan_stops_the_run_and_keeps_the_checkpoints(
    tokenizer: Tokenizer, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, plain = [0], CountingReward.forward

    def sometimes(self: CountingReward, tokens_BT: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        scores = plain(self, tokens_BT, lengths_B)
        return scores * torch.nan if calls[0] > 2 else scores

    monkeypatch.setattr(CountingReward, "forward", sometimes)
    loop = ppo_loop(tmp_path, objective(tokenizer), policy(), 12, checkpoint_every=2)
    with pytest.raises(NonFiniteError, match="everything it saved before is intact"):
        loop.run()
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept[-1] == "step-00000008"


def test_rollouts_are_made_in_the_precision_of_the_updates(
    tokenizer: Tokenizer, policy: Policy, tmp_path: Path
) -> None:
    """Otherwise the ratio would begin away from 1: under bf16 the same token has another probability."""
    loop = ppo_loop(tmp_path, objective(tokenizer), policy(), 1, execution=Execution("cpu", "bf16", False, World()))
    loop.run()
    (first, *_) = read_json_lines(tmp_path / "metrics.jsonl")
    assert first["policy/approxkl_avg"] < 1e-5
