"""PPO as an objective of the training loop: a rollout every few steps, and updates from it in between.

A rollout of R answers is trained on for E epochs, in minibatches of one global batch; a new one is made every
E · ⌈R / global batch⌉ steps. `prepare` makes it with the present weights. `batches` returns its minibatches, as a pure
function of seed and step. Checkpoints contain the rollout, β and the scale of the scores.

With several ranks, each rank makes the *whole* rollout, which is equal on all ranks because weights and seeds are, and
trains on its share of the minibatches. This needs no communication.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from tuppence.data.batches import permute
from tuppence.data.buckets import IGNORED_TARGET, pad
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.tasks.ppo.answers import Answer, GenerationConfig, seeds_for, write_answers
from tuppence.tasks.ppo.config import PPORecipe
from tuppence.tasks.ppo.equations import clipped_policy_loss, clipped_value_loss, next_kl_coefficient
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tasks.ppo.quality import answer_quality
from tuppence.tasks.ppo.rollout import Judged, Rollout, judge, make_rollout, rollout_gauges
from tuppence.training.objective import Batch, Objective, Sample

HELD_OUT_SEEDS = 2**40
"""Used instead of a step in the seeds of held-out answers. It is larger than the last step of any run."""

SHOWN_ANSWERS = 2

_MEMORY, _GAUGES = "ppo.", "gauge."


@dataclass(frozen=True)
class Memory:
    """The state of PPO besides the rollout; saved in every checkpoint.

    Attributes:
        rollout_step: the step at which the present rollout was made; -1 before the first.
        kl_coefficient: β of the next rollout.
        score_mean, score_deviation: of the scores of the base, measured on the first rollout.
    """

    rollout_step: float
    kl_coefficient: float
    score_mean: float = 0.0
    score_deviation: float = 1.0


class PPO(Objective[PolicyWithValue]):
    """Maximises the reward, with a penalty on the KL divergence from the base.

    Args:
        prompts, val_prompts: in ids; each leaves room for an answer in the context.
        reference: the base, frozen.
        reward: frozen, in evaluation mode.
        generation: how answers are generated.
        world_size: the number of ranks.
    """

    metrics = (
        *("loss/policy_avg", "loss/value_avg", "policy/approxkl_avg", "policy/clipfrac_avg", "policy/entropy_avg"),
        *("val/ratio", "val/clipfrac_avg"),
    )
    evaluation_metrics = (*("scores", "kl", "entropy", "answer_tokens", "finished", "repeated_4grams", "base_loss"),)

    def __init__(
        self,
        prompts: Sequence[list[int]],
        val_prompts: Sequence[list[int]],
        reference: GPT,
        reward: SequenceScorer,
        generation: GenerationConfig,
        config: PPORecipe,
        world_size: int,
    ) -> None:
        self._prompts, self._val_prompts = prompts, val_prompts
        self._reference, self._reward, self._generation = reference, reward, generation
        self._align, self._train = config.align, config.train
        global_batch = config.train.batch_size * config.train.accumulation_steps * world_size
        self._minibatches = -(-config.align.rollout_prompts // global_batch)
        self._memory = Memory(-1, config.align.kl_coefficient)
        self._rollout: Rollout | None = None
        self._gauges: dict[str, float] = {}
        self._shown: list[Sample] = []

    @property
    def steps_per_rollout(self) -> int:
        """Updates between two rollouts."""
        return self._align.num_ppo_epochs * self._minibatches

    # ---- the rollout ---------------------------------------------------------------------------------------------

    def prepare(self, step: int, model: nn.Module) -> None:
        """Makes a new rollout if one is due at this step and was not made before."""
        assert isinstance(model, PolicyWithValue)
        if step % self.steps_per_rollout or self._memory.rollout_step == step:
            return
        prompts = self._next_prompts(step // self.steps_per_rollout)
        seeds = seeds_for(self._train.seed, step, len(prompts))
        answers = write_answers(model.gpt, prompts, seeds, self._generation)
        judged = self._judge(model, answers)
        beta, memory = self._memory.kl_coefficient, replace(self._memory, rollout_step=step)
        if self._memory.rollout_step < 0 and self._align.normalise_scores:
            mean, deviation = _scale(judged.scores)
            memory = replace(memory, score_mean=mean, score_deviation=deviation)
        rewards_R = self._rewards(judged, memory)
        rollout = make_rollout(judged, rewards_R, beta, self._align)
        gauges = rollout_gauges(judged, rewards_R, beta)
        if self._align.target_kl is not None:
            beta = next_kl_coefficient(beta, gauges["objective/kl"], self._align.target_kl, self._align.kl_gain)
            memory = replace(memory, kl_coefficient=beta)
        self._rollout, self._gauges = rollout, gauges
        self._memory = memory  # last: a signal may come between two assignments

    def _next_prompts(self, rollout: int) -> list[list[int]]:
        """The prompts of a rollout. Every pass over all prompts has another random order."""
        count, size = self._align.rollout_prompts, len(self._prompts)
        passes_and_places = [divmod(place, size) for place in range(rollout * count, (rollout + 1) * count)]
        return [
            self._prompts[int(permute(np.array([place]), size, self._train.seed, one_pass)[0])]
            for one_pass, place in passes_and_places
        ]

    def _judge(self, model: PolicyWithValue, answers: Sequence[Answer]) -> Judged:
        return judge(model, self._reference, self._reward, answers, 2 * self._train.batch_size)

    def _rewards(self, judged: Judged, memory: Memory) -> Tensor:
        """The reward of each answer: its score, normalised by mean and deviation of the base, minus the penalty."""
        rewards_R = (judged.scores - memory.score_mean) / memory.score_deviation
        return rewards_R - self._align.missing_eos_penalty * ~judged.finished

    # ---- updates -------------------------------------------------------------------------------------------------

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        rollout, size = self._rollout, self._align.rollout_prompts
        assert rollout is not None, "prepare comes first"
        epoch, place = divmod(step, self._minibatches)
        order = permute(np.arange(size), size, self._train.seed, epoch)
        minibatch = np.array_split(order, self._minibatches)[place]
        shares = np.array_split(minibatch, self._train.accumulation_steps * world_size)[rank::world_size]
        return [_batch(rollout, torch.from_numpy(share)) for share in shares]

    def tokens(self, batch: Batch) -> int:
        """The tokens up to the last target of each row; nothing after it is trained."""
        targets_BT = batch[-1]
        last_BT = (targets_BT != IGNORED_TARGET) * torch.arange(1, targets_BT.shape[1] + 1)
        return int(last_BT.amax(dim=1).sum())

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """In training the loss of a minibatch; in evaluation that of held-out prompts, whose answers it generates."""
        assert isinstance(model, PolicyWithValue)
        if not model.training:
            return self._held_out_loss(model, *batch)
        tokens_BT, old_BT, values_BT, advantages_BT, returns_BT, targets_BT = batch
        at_BT = targets_BT != IGNORED_TARGET
        old_N, old_values_N = old_BT[at_BT], values_BT[at_BT]
        statistics, values_N = model(tokens_BT, targets_BT)
        log_ratios_N = statistics.log_probabilities - old_N
        align = self._align
        policy_N = clipped_policy_loss(statistics.log_probabilities, old_N, advantages_BT[at_BT], align.cliprange)
        value_N = clipped_value_loss(values_N, old_values_N, returns_BT[at_BT], align.value_clip)
        ratios_N = log_ratios_N.detach().exp()
        return policy_N.sum() + align.vf_coef * value_N.sum(), {
            "loss/policy_avg": policy_N.sum(),
            "loss/value_avg": value_N.sum(),
            "policy/approxkl_avg": 0.5 * (log_ratios_N**2).sum(),
            "policy/clipfrac_avg": ((ratios_N - 1).abs() > align.cliprange).float().sum(),
            "policy/entropy_avg": statistics.entropies.sum(),
            "val/ratio": ratios_N.sum(),
            "val/clipfrac_avg": ((values_N - old_values_N).abs() > align.value_clip).float().sum(),
        }

    def gauges(self) -> dict[str, float]:
        return self._gauges

    # ---- evaluation ----------------------------------------------------------------------------------------------

    def evaluation(self) -> Iterator[Batch]:
        """Held-out prompts, their lengths, and their numbers. Each answer counts as one target."""
        numbers = np.arange(len(self._val_prompts))
        for some in np.array_split(numbers, -(-len(numbers) // (2 * self._train.batch_size))):
            prompts = [np.array(self._val_prompts[number], dtype=np.int64) for number in some]
            lengths = torch.tensor([len(prompt) for prompt in prompts])
            yield torch.from_numpy(pad(prompts, 0)), lengths, torch.from_numpy(some)

    def evaluation_tokens(self) -> int:
        return sum(len(prompt) + self._align.max_new_tokens for prompt in self._val_prompts)

    def _held_out_loss(
        self, model: PolicyWithValue, tokens_BT: Tensor, lengths_B: Tensor, numbers_B: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Minus the penalised reward, always with the initial β, so that evaluations can be compared."""
        prompts = [row[:length] for row, length in zip(tokens_BT.tolist(), lengths_B.tolist(), strict=True)]
        numbers = numbers_B.tolist()
        seeds = seeds_for(self._train.seed, HELD_OUT_SEEDS, numbers[-1] + 1)
        answers = write_answers(model.gpt, prompts, [seeds[number] for number in numbers], self._generation)
        judged = self._judge(model, answers)
        if 0 in numbers:
            self._shown = [self._sample(answer) for answer in answers[:SHOWN_ANSWERS]]
        penalised_R = self._rewards(judged, self._memory) - self._align.kl_coefficient * judged.kl
        quality = answer_quality(answers, judged)
        return -penalised_R.sum(), {name: getattr(quality, name).sum() for name in self.evaluation_metrics}

    def _sample(self, answer: Answer) -> Sample:
        decode = self._generation.tokenizer.decode
        return Sample(decode(answer.prompt), decode(answer.ids))

    def samples(self, model: nn.Module) -> list[Sample]:
        """The first answers of the last evaluation."""
        return self._shown if self._train.sample_tokens else []

    # ---- the state in checkpoints --------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        numbers = {_MEMORY + name: value for name, value in vars(self._memory).items()}
        numbers |= {_GAUGES + name: value for name, value in self._gauges.items()}
        kept = {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
        return kept | (self._rollout.state() if self._rollout is not None else {})

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        numbers = {name: float(tensor) for name, tensor in tensors.items() if tensor.ndim == 0}
        memory = {name.removeprefix(_MEMORY): value for name, value in numbers.items() if name.startswith(_MEMORY)}
        if memory.keys() != vars(self._memory).keys():
            raise ValueError("it holds no state of PPO")
        rollout = Rollout.from_state(tensors)
        if rollout is not None and len(rollout.tokens) != self._align.rollout_prompts:
            raise ValueError(f"its rollout has {len(rollout.tokens)} answers")
        self._memory, self._rollout = Memory(**memory), rollout
        self._gauges = {n.removeprefix(_GAUGES): value for n, value in numbers.items() if n.startswith(_GAUGES)}


def _scale(scores_R: Tensor) -> tuple[float, float]:
    """Mean and standard deviation; the deviation is 1 if all scores are equal."""
    deviation = float(scores_R.std()) if len(scores_R) > 1 else 0.0
    return float(scores_R.mean()), deviation if deviation > 1e-6 else 1.0


def _batch(rollout: Rollout, numbers: Tensor) -> Batch:
    if len(numbers):
        return rollout.rows(numbers)
    *inputs, targets = rollout.rows(torch.tensor([0]))  # fewer answers than ranks and accumulation steps
    return (*inputs, torch.full_like(targets, IGNORED_TARGET))
