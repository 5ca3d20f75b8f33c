"""`run_ppo`, which `tuppence align ppo` calls: trains a policy from a base, a reward model and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel, ModelInfo, inspect, load
from tuppence.model.lora import add_lora, frozen_copy
from tuppence.model.saving import save_model
from tuppence.storage import location_of, output_path
from tuppence.tasks.finetuning import RowJob, conversation_tokenizer, finetuning_flops
from tuppence.tasks.ppo.answers import GenerationConfig
from tuppence.tasks.ppo.config import PPORecipe
from tuppence.tasks.ppo.held_out import Judges, compare
from tuppence.tasks.ppo.objective import PPO
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tasks.ppo.prompts import read_prompts
from tuppence.tasks.rows import RowFiles
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.training.distributed import world_size
from tuppence.training.objective import Objective


class PPOJob(RowJob[PolicyWithValue]):
    """Trains a policy on the scores of a reward model."""

    verb = "align ppo"
    scales = False
    closing = 2.0  # answers of the base and of the policy

    def __init__(self, base: ModelInfo, reward: str | Path, files: RowFiles, out: Path, recipe: PPORecipe) -> None:
        align, context = recipe.align, base.config.context_length
        lora = None if align.full else recipe.lora.resolve()
        if lora is not None and lora.dropout:
            raise InputError(
                "lora.dropout is above 0, and PPO compares a policy with itself", "leave lora.dropout at 0"
            )
        if align.max_new_tokens >= context:
            raise InputError(
                f"align.max_new_tokens is {align.max_new_tokens:,}, and the model's context {context:,}",
                "leave room for a prompt: --set align.max_new_tokens=N",
            )
        self._recipe, self._reward = recipe, _open_reward(reward, base)
        self._reference: GPT | None = None
        self.tokenizer = conversation_tokenizer(base)
        self._generation = GenerationConfig(align.max_new_tokens, align.temperature, self.tokenizer)
        self._prompts = read_prompts(
            files,
            self.tokenizer,
            most_tokens=context - align.max_new_tokens,
            val_fraction=align.val_fraction,
            eval_prompts=align.eval_prompts,
            seed=recipe.train.seed,
        )
        lengths = [len(prompt) + align.max_new_tokens for prompt in self._prompts.train]
        answered = align.max_new_tokens * len(lengths) / sum(lengths)
        super().__init__(
            base,
            files.paths,
            out,
            recipe,
            rows=self._prompts.rows,
            lengths=lengths,
            epochs=align.epochs,
            lora=lora,
            flops_per_token=finetuning_flops(base.config, lengths, logits_share=answered, frozen=lora is not None),
            inputs={"reward": {"path": location_of(self._reward.folder), "fingerprint": self._reward.fingerprint}},
        )

    def default_steps(self, ranks: int) -> int:
        """The number of updates until every prompt was answered `align.epochs` times."""
        align = self._recipe.align
        rollouts = max(1, round(align.epochs * len(self._prompts.train) / align.rollout_prompts))
        return rollouts * align.num_ppo_epochs * -(-align.rollout_prompts // (self.sequences_per_step * ranks))

    def build(self, device: str) -> tuple[Objective[PolicyWithValue], PolicyWithValue]:
        # no dropout: only an update changes the ratio of two probabilities
        gpt = self.load_base(device)
        self._reference = frozen_copy(gpt, shared=self.lora is not None)
        if self.lora is not None:
            add_lora(gpt, self.lora)
        reward = self._reward.model.to(device)
        models = (self._reference, reward)
        objective = PPO(self._prompts.train, self._prompts.val, *models, self._generation, self._recipe, world_size())
        return objective, PolicyWithValue(gpt)

    def write_result(self, model: PolicyWithValue) -> None:
        save_model(model.gpt, Run(self.out).model, tokenizer=self.tokenizer)
        self.write_adapter(model.gpt)

    def measure(self) -> dict[str, Any]:
        judges = Judges(
            base=self.load_base("cpu") if self._reference is None else self._reference,
            reward=self._reward.model,
            generation=self._generation,
            batch_size=2 * self.train.batch_size,
        )
        return {"held_out": compare(self.out, judges, self._prompts.val, seed=self.train.seed)}


def run_ppo(
    base: str | Path,
    reward: str | Path,
    data: str | Path,
    out: str | Path,
    config: PPORecipe,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Trains a policy on the scores of a reward model, or continues such a run.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's folder. The policy starts from it, and the KL
            divergence from it is penalised.
        reward: a run of `tuppence align reward`, or a GPT2ForSequenceClassification folder with one score.
        data: preferences or instructions; only their prompts are used.
        val: a file of held-out prompts; None: a part of `data` is held out.
        skip_bad_rows: leave out and count rows that cannot be used, instead of refusing the file.

    Returns:
        `status`, `ended_because` and `result` of run.yaml, and `held_out`, the metrics of the answers of base and
        policy to held-out prompts; {} on ranks other than 0.

    Raises:
        InputError: base, reward model, data, recipe and run folder do not fit together.
        NonFiniteError: the reward model gave NaN or infinity; the last good checkpoint is kept.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    files = RowFiles.staged(data, val, skip_bad_rows=skip_bad_rows)
    return train(PPOJob(inspect(base, head="lm"), reward, files, output_path(out), config), options)


def _open_reward(folder: str | Path, base: ModelInfo) -> LoadedModel[SequenceScorer]:
    """Loads the reward model and freezes it.

    Raises:
        InputError: the folder has no reward model, or its tokenizer differs from that of the base.
    """
    reward = load(folder, "cpu", "float32", head="scores")
    if len(reward.labels) != 1:
        raise InputError(
            f"{folder} gives {len(reward.labels)} scores, and a reward is one", "give a run of 'tuppence align reward'"
        )
    if reward.tokenizer.fingerprint != base.tokenizer.fingerprint:
        raise InputError(
            f"the reward model {folder} has another tokenizer than the base {base.folder}",
            "train the reward model from the same base: tuppence align reward --base …",
        )
    reward.model.requires_grad_(False)
    return reward
