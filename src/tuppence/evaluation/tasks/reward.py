"""How often a reward model agrees with people: accuracy and margin on pairs that it was not trained on.

Each answer is scored in a row of its own, as whoever uses the model would; training lays the two of a pair out as one
row (`model.branches`). Both intervals come from the same resamples of the pairs. `tuppence evaluate` on a run of
`align reward` calls this.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.buckets import pad
from tuppence.data.records.encoding import encode_preference, without_end
from tuppence.data.records.preferences import Preference, read_preferences
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.rows.files import sha256_of
from tuppence.evaluation.scoring.classifier import batches_of_tokens, tokens_at_once
from tuppence.evaluation.statistics.bootstrap import RESAMPLES, Floats, bootstrap, interval
from tuppence.evaluation.task import Metrics, Scores, TaskResult
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel
from tuppence.storage import location_of

LABEL = "reward"
"""The name of the one score in a reward model's config.json."""


def reward(loaded: LoadedModel[SequenceScorer], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a reward model on its held-out pairs, or on another file of preferences.

    Raises:
        InputError: there are no held-out pairs and no file was named, or a reward is not finite.
    """
    if len(loaded.labels) != 1:
        raise InputError(f"{loaded.folder} is not a reward model", "give a run of 'tuppence align reward'")
    began = time.perf_counter()
    path = _file(loaded, config)
    found = read_preferences(path, skip_bad_rows=config.skip_bad_rows)
    if found.skipped_rows:
        console.warn(f"skipped {console.counted(found.skipped_rows, 'bad row')} of {path}")
    pairs = _differing(loaded, found.rows[: config.limit])
    rewards_N2 = pair_rewards(loaded, pairs)
    margins = rewards_N2[:, 0] - rewards_N2[:, 1]
    right = (margins > 0).astype(np.float64)

    def means(drawn_RN: Floats) -> Floats:
        return (drawn_RN / len(pairs)) @ np.stack([right, margins], axis=1)

    drawn_R2 = bootstrap(means, len(pairs), RESAMPLES)
    metrics: Metrics = {
        "accuracy": float(right.mean()),
        "accuracy_interval": interval(drawn_R2[:, 0]),
        "margin": float(margins.mean()),
        "margin_interval": interval(drawn_R2[:, 1]),
        "chosen_reward": float(rewards_N2[:, 0].mean()),
        "rejected_reward": float(rewards_N2[:, 1].mean()),
        "pairs": len(pairs),
        "data": location_of(path),
        "resamples": RESAMPLES,
        **contamination(loaded.folder, path, pairs),
        "precision": loaded.precision.name,
        "device": loaded.device,
        "seconds": round(time.perf_counter() - began, 3),
    }
    scores = Scores(right, np.ones(len(pairs)), "pairs", sha256_of(path))
    return TaskResult(metrics, scores={"accuracy": scores})


def pair_rewards(loaded: LoadedModel[SequenceScorer], pairs: list[Preference]) -> NDArray[np.float64]:
    """The rewards of chosen and rejected, (N, 2), cut to the context as in training.

    Raises:
        InputError: a reward is not finite.
    """
    context, tokenizer = loaded.config.context_length, loaded.tokenizer
    texts: list[NDArray[np.int64]] = []
    for pair in pairs:
        one = encode_preference(tokenizer, pair, context_length=context)
        for answer in (one.chosen_ids, one.rejected_ids):
            texts.append(np.concatenate([one.prompt_ids, without_end(answer, tokenizer.end_of_text)]))
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    rewards = np.empty(len(texts))
    with torch.inference_mode(), loaded.autocast(), console.progress("answers") as bar:
        task = bar.add_task("reward", total=len(texts))
        for numbers in batches_of_tokens(lengths, tokens_at_once(loaded.device)):
            tokens_BT = torch.from_numpy(pad([texts[number] for number in numbers], 0, limit=context))
            lengths_B = torch.from_numpy(lengths[numbers])
            scores_B1 = loaded.model(tokens_BT.to(loaded.device), lengths_B.to(loaded.device))
            rewards[numbers] = scores_B1[:, 0].double().cpu().numpy()
            bar.advance(task, len(numbers))
    if not np.isfinite(rewards).all():
        raise InputError(f"{loaded.folder} gives a reward that is not finite", "train it again, at a lower rate")
    return rewards.reshape(-1, 2)


def _differing(loaded: LoadedModel[SequenceScorer], pairs: list[Preference]) -> list[Preference]:
    """The pairs whose answers differ within the context: as in training, the others are left out and counted.

    Raises:
        InputError: none is left.
    """
    context = loaded.config.context_length
    kept = [pair for pair in pairs if not encode_preference(loaded.tokenizer, pair, context_length=context).is_equal]
    if not kept:
        raise InputError(
            f"no pair differs within the context of {context:,} tokens", "use a model with a longer context"
        )
    if len(kept) < len(pairs):
        left_out = console.counted(len(pairs) - len(kept), "pair")
        console.warn(f"left out {left_out} whose answers begin alike for as long as the context reaches")
    return kept


def _file(loaded: LoadedModel[SequenceScorer], config: EvalConfig) -> str:
    """What was named, or the run's own held-out pairs."""
    named = config.data_of("reward")
    if named is not None:
        return named
    held_out = Run.of(loaded.folder).held_out_file
    if held_out.is_file():
        return str(held_out)
    raise InputError(f"{loaded.folder} holds no held-out pairs", "name a file of preferences with --data FILE")
