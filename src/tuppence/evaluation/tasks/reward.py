"""The task `reward`: accuracy and margin of a reward model on pairs that it was not trained on.

`accuracy` is the share of pairs whose chosen answer has the higher reward, `margin` the mean difference of the two
rewards. Each answer is scored in a row of its own, as in use; training puts both answers of a pair into one row
(`model.branches`). Both intervals come from the same resamples of the pairs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.bad_rows import warn_of_skipped
from tuppence.data.buckets import pad
from tuppence.data.records.encoding import EncodedPreference, encode_preference, without_end
from tuppence.data.records.preferences import Preference, read_preferences
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.rows.files import sha256_of
from tuppence.evaluation.scoring.classifier import batches_of_tokens, tokens_at_once
from tuppence.evaluation.statistics.bootstrap import RESAMPLES, Floats, bootstrap, interval
from tuppence.evaluation.task import Metrics, Scores, TaskResult
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel, ModelInfo
from tuppence.storage import location_of

LABEL = "reward"
"""The name of the one score in a reward model's config.json."""


def reward(loaded: LoadedModel[SequenceScorer], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a reward model on its held-out pairs, or on another file of preferences.

    Raises:
        InputError: no file was named and there are no held-out pairs; no pair can be used; or a reward is not finite.
    """
    if len(loaded.labels) != 1:
        raise InputError(f"{loaded.folder} is not a reward model", "give a run of 'tuppence align reward'")
    began = time.perf_counter()
    path = _file(loaded, config)
    found = read_preferences(path, skip_bad_rows=config.skip_bad_rows)
    warn_of_skipped(path, found.skipped_rows)
    rows = found.rows[: config.limit]
    encoded = encode_pairs(loaded, rows)
    kept = _differing(loaded, encoded)
    pairs = [rows[number] for number in kept]
    rewards_N2 = pair_rewards(loaded, [encoded[number] for number in kept])
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


def encode_pairs(info: ModelInfo, pairs: Sequence[Preference]) -> list[EncodedPreference]:
    """Returns the token ids of the pairs, cut to the model's context as in training."""
    return [encode_preference(info.tokenizer, pair, context_length=info.config.context_length) for pair in pairs]


def pair_rewards(loaded: LoadedModel[SequenceScorer], encoded: Sequence[EncodedPreference]) -> NDArray[np.float64]:
    """Returns the rewards of the chosen and the rejected answer of each pair, (N, 2).

    Raises:
        InputError: a reward is not finite.
    """
    context_length, end_of_text = loaded.config.context_length, loaded.tokenizer.end_of_text
    texts = [
        np.concatenate([pair.prompt_ids, without_end(answer, end_of_text)])
        for pair in encoded
        for answer in (pair.chosen_ids, pair.rejected_ids)
    ]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    rewards = np.empty(len(texts))
    with torch.inference_mode(), loaded.autocast(), console.progress("answers") as bar:
        task = bar.add_task("reward", total=len(texts))
        for numbers in batches_of_tokens(lengths, tokens_at_once(loaded.device)):
            tokens_BT = torch.from_numpy(pad([texts[number] for number in numbers], 0, limit=context_length))
            lengths_B = torch.from_numpy(lengths[numbers])
            scores_B1 = loaded.model(tokens_BT.to(loaded.device), lengths_B.to(loaded.device))
            rewards[numbers] = scores_B1[:, 0].double().cpu().numpy()
            bar.advance(task, len(numbers))
    if not np.isfinite(rewards).all():
        raise InputError(f"{loaded.folder} gives a reward that is not finite", "train it again, at a lower rate")
    return rewards.reshape(-1, 2)


def _differing(info: ModelInfo, encoded: Sequence[EncodedPreference]) -> list[int]:
    """Returns the indices of the pairs whose answers differ within the context. Training leaves out the others, too.

    Raises:
        InputError: no pair is left.
    """
    kept = [number for number, pair in enumerate(encoded) if not pair.is_equal]
    if not kept:
        raise InputError(
            f"no pair differs within the context of {info.config.context_length:,} tokens",
            "use a model with a longer context",
        )
    if len(kept) < len(encoded):
        left_out = console.counted(len(encoded) - len(kept), "pair")
        console.warn(f"left out {left_out} whose answers are equal within the context")
    return kept


def _file(loaded: LoadedModel[SequenceScorer], config: EvalConfig) -> str:
    """Returns the file that `config` names, or else the run's held-out pairs."""
    named = config.data_of("reward")
    if named is not None:
        return named
    held_out = Run.of(loaded.folder).held_out_file
    if held_out.is_file():
        return str(held_out)
    raise InputError(f"{loaded.folder} holds no held-out pairs", "name a file of preferences with --data FILE")
