"""One realistic call of every figure function. Figures of new functions need a line here, see test_legibility.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tuppence import figures

CAUSAL = np.tril(np.ones((5, 5), dtype=bool))
BOTH = np.block([[np.ones((3, 3)), np.zeros((3, 3))], [np.ones((3, 3)), np.tril(np.ones((3, 3)))]]).astype(bool)
SHAPES = {"tokens": (2, 64), "token_embedding": (2, 64, 128), "logits": (2, 64, 2048), "final_norm": (2, 64, 128)}
SHAPES |= {f"blocks.{layer}": (2, 64, 128) for layer in range(4)}
SHAPES |= {f"blocks.0.{part}": (2, 64, 128) for part in ("attention_norm", "attention", "mlp_norm", "mlp")}

EXAMPLES: dict[str, Callable[[], Any]] = {
    "scale": lambda: figures.scale(
        {
            "GPT-2 small": 124_439_808,
            "GPT-2 medium": 354_823_168,
            "GPT-2 large": 774_030_080,
            "GPT-2 XL": 1_557_611_200,
            "GPT-3": 175e9,
            "GPT-4": 1.76e12,
            "the course's model": 1_350_000,
        },
        rumours={"GPT-4": "rumour, June 2023"},
        ours=["the course's model"],
    ),
    "dollars_against_loss": lambda: figures.dollars_against_loss(
        [0.05, 1.2, 9.0, 60.0, 410.0],
        [4.2, 3.9, 3.5, 3.25, 3.05],
        names=["nano", "30M", "60M", "124M", "355M"],
    ),
    "roadmap": lambda: figures.roadmap(
        ["Fundamentals", "Text", "Attention", "GPT", "Pretraining", "Classification", "Instructions", "Alignment"],
        [0.25, 0.75, 1.3, 1.8, 3.3, 1.7, 2.4, 2.7],
        [140, 210, 230, 260, 320, 250, 240, 290],
        ideas=[
            "what is a model, what does it cost",
            "bytes, merges, tokens, windows",
            "queries, keys, values, masks, heads",
            "norms, residuals, blocks, sampling, cache",
            "loss, AdamW, schedules, scaling laws, resuming",
            "heads, metrics, calibration, honest baselines",
            "templates, loss masks, LoRA",
            "reward models, KL, DPO, PPO",
        ],
    ),
    "architecture": lambda: figures.architecture(SHAPES),
    "masks": lambda: figures.masks(
        {"decoder\n(GPT)": CAUSAL, "encoder\n(BERT)": np.ones((5, 5)), "encoder–decoder\n(T5)": BOTH}
    ),
    "stages": lambda: figures.stages(
        [
            (
                "Pretraining",
                "One day, a girl named Lily found a needle in her room. She knew it was difficult to play with it",
                "every next token",
                "3.3 min, 1.6M tokens",
            ),
            ("Instructions", "User: Name two colours. → Assistant: red, blue", "the tokens of the answer", "1.1 min"),
            (
                "Alignment",
                "chosen: I cannot help with that, but here is who can. rejected: No.",
                "chosen above rejected, compared with the model before",
                "0.9 min",
            ),
        ]
    ),
}

STEPS = np.arange(1, 401)
SHARES = {"training": 300.0, "start-up": 12.0, "evaluation": 20.0, "checkpoints": 9.0, "everything else": 3.0}

EXAMPLES |= {
    "plot_loss": lambda: figures.plot_loss(
        STEPS, 9 / STEPS**0.2, STEPS[49::50], 9.1 / STEPS[49::50] ** 0.2, token_steps=STEPS, tokens=STEPS * 2048
    ),
    "plot_learning_rate": lambda: figures.plot_learning_rate(STEPS, 1e-3 * np.minimum(STEPS / 40, 1 - STEPS / 450)),
    "plot_gradient_norm": lambda: figures.plot_gradient_norm(STEPS, 0.8 + 4 * np.exp(-STEPS / 30)),
    "plot_throughput": lambda: figures.plot_throughput(STEPS, 2600 + 50 * np.sin(STEPS)),
    "plot_preference_accuracy": lambda: figures.plot_preference_accuracy([50, 100, 150], [0.6, 0.7, 0.72]),
    "plot_reward_margin": lambda: figures.plot_reward_margin([50, 100, 150], [0.1, 0.3, 0.35]),
    "plot_confusion_matrix": lambda: figures.plot_confusion_matrix([[146, 4], [5, 145]], ["ham", "spam"]),
    "plot_calibration": lambda: figures.plot_calibration([0.66, 0.8, 0.99], [0.5, 0.75, 0.98], [12, 30, 288]),
    "plot_roc_curve": lambda: figures.plot_roc_curve([0, 0.02, 1], [0, 0.96, 1], positive="spam", area=0.97),
    "plot_scores": lambda: figures.plot_scores(
        ["this model", "TF-IDF + logistic regression", "majority"],
        {"accuracy": [(0.97, 0.92, 0.99), (0.96, 0.9, 0.98), (0.87, 0.8, 0.9)], "F1": [(0.9, 0.8, 0.95)] * 3},
    ),
    "plot_exact_match": lambda: figures.plot_exact_match(
        ["base", "instructions", "alignment"], [0.01, 0.42, 0.47], [0.001, 0.02, 0.02]
    ),
    "plot_exact_match_by_kind": lambda: figures.plot_exact_match_by_kind(
        ["arithmetic", "copying a sentence", "sorting"], [40, 50, 30], {"base": [0, 0.1, 0], "tuned": [0.3, 0.9, 0.5]}
    ),
    "plot_dollars": lambda: figures.plot_dollars([0, 100, 200, 300], [0, 0.02, 0.04, 0.06], budget=0.1),
    "plot_time_shares": lambda: figures.plot_time_shares(SHARES),
    "plot_stage_seconds": lambda: figures.plot_stage_seconds(
        {"tokenizer": 4, "pretrain": 200, "instruct": 120, "dpo": 90}
    ),
}

SENTENCE = ["The", " cat", " sat", " on", " the", " mat", ".", " It", " pur", "red"]
MERGES = [list("hug pug hugs"), ["h", "ug", " ", "p", "ug", " ", "h", "ug", "s"]]
MERGES += [["hug", " ", "p", "ug", " ", "hug", "s"], ["hug", " ", "pug", " ", "hug", "s"]]
MERGES += [["hug", " pug", " ", "hug", "s"], ["hug", " pug", " hug", "s"]]


def causal_weights(length: int, *shape: int) -> Any:
    """Random attention weights of a causal mask, (*shape, length, length)."""
    raised = np.exp(2 * np.random.default_rng(0).normal(size=(*shape, length, length))) * np.tril(
        np.ones((length, length))
    )
    return raised / raised.sum(axis=-1, keepdims=True)


EXAMPLES |= {
    "tokens_strip": lambda: figures.tokens_strip(
        ["The", " cost", " of", " 123", "45", "67", " tokens", " is", " measured", ",", " not", " guessed", ".\n"],
        [464, 1575, 286, 17031, 2231, 3134, 16326, 318, 8630, 11, 407, 25183, 13],
    ),
    "loss_mask": lambda: figures.loss_mask(
        ["<user>", "Name", " two", " colours", ".", "<answer>", " red", ",", " blue", "<end>"], [0] * 6 + [1] * 4
    ),
    "token_values": lambda: figures.token_values(
        ["Congrat", "ulations", "!", " You", " have", " won", " a", " free", " phone", ".", " Call", " now"],
        [0.2, 0.4, 0.5, 0.45, 0.5, 0.8, 0.85, 0.95, 0.97, 0.97, 0.99, 1.0],
    ),
    "merge_tree": lambda: figures.merge_tree(MERGES),
    "fertility": lambda: figures.fertility(
        {"English": 30, "Spanish": 48, "German": 51, "Russian": 120, "Hindi": 162, "Burmese": 372}
    ),
    "bytes_per_token": lambda: figures.bytes_per_token([257, 512, 1024, 2048, 4096], [1.0, 2.28, 2.97, 3.55, 4.05]),
    "windows": lambda: figures.windows(SENTENCE, 4),
    "attention_steps": lambda: figures.attention_steps(
        np.random.default_rng(0).normal(size=(5, 5)) * 2, CAUSAL, tokens=["the", "cat", "sat", "on", "it"]
    ),
    "attention_map": lambda: figures.attention_map(causal_weights(10), SENTENCE),
    "attention_maps": lambda: figures.attention_maps(causal_weights(24, 2, 4)),
    "saturation": lambda: figures.saturation(
        [4, 8, 16, 32, 64, 128, 256],
        [0.3, 0.42, 0.55, 0.68, 0.78, 0.86, 0.92],
        [0.12, 0.12, 0.13, 0.12, 0.12, 0.13, 0.12],
    ),
    "attention_cost": lambda: figures.attention_cost(
        [128, 256, 512, 1024, 2048],
        {"explicit": [0.4, 0.9, 2.9, 20.0, 124.0], "fused": [0.3, 0.6, 1.4, 4.2, 12.7]},
    ),
    "loss_curves": lambda: figures.loss_curves(
        {
            "one layer": (STEPS, 2.35 + 2 * np.exp(-STEPS / 60)),
            "two layers": (STEPS, 0.03 + 2.6 / (1 + np.exp((STEPS - 220) / 25)) + 1.5 * np.exp(-STEPS / 60)),
        }
    ),
}

FALLING = 2.4 + 5.6 * np.exp(-STEPS / 45) + 1.2 * np.exp(-STEPS / 300)

EXAMPLES |= {
    "ablations": lambda: figures.ablations(
        {
            "whole": 3.278,
            "without positions": 3.300,
            "without norm": 3.447,
            "without residual": 5.240,
            "without MLP": 3.402,
            "without mask": 3.135,
        }
    ),
    "parameters_by_part": lambda: figures.parameters_by_part(
        {"token embedding": 38.6e6, "positions": 0.79e6, "attention": 28.3e6, "MLP": 56.7e6, "norms": 38e3},
        {"attention": 75e6, "MLP": 113e6, "attention scores": 19e6, "head": 77e6, "norms": 1e5},
    ),
    "residual_norms": lambda: figures.residual_norms(
        {
            "all layers alike": [1.2, 2.2, 3.1, 3.8, 4.4, 5.0, 5.6],
            "scaled by 1/√(2L)": [1.2, 1.35, 1.5, 1.62, 1.73, 1.84, 1.95],
        }
    ),
    "sampling_cut": lambda: figures.sampling_cut(
        [" get", " remember", " see", " be", " go", " try", " think"],
        {
            "all": [0.31, 0.22, 0.16, 0.12, 0.09, 0.06, 0.04],
            "temperature\n0.5": [0.48, 0.24, 0.13, 0.07, 0.05, 0.02, 0.01],
            "top-k 3": [0.45, 0.32, 0.23, 0, 0, 0, 0],
            "top-p 0.8": [0.38, 0.27, 0.2, 0.15, 0, 0, 0],
        },
    ),
    "cache_speed": lambda: figures.cache_speed([16, 64, 128], [0.21, 0.98, 2.28], [0.08, 0.28, 0.6]),
    "schedule": lambda: figures.schedule(
        STEPS,
        {
            "linear": np.minimum(STEPS / 40, (440 - STEPS) / 400),
            "cosine": np.minimum(STEPS / 40, 0.55 + 0.45 * np.cos(np.pi * STEPS / 400)),
        },
        warmup=40,
        unit="learning rate, share of the peak",
    ),
    "loss_and_samples": lambda: figures.loss_and_samples(
        STEPS,
        FALLING,
        [
            (10, "Once upon a time the the a was was and the he"),
            (100, "Once upon a time there was a dog. The dog was happy and the dog was the park and"),
            (390, "Once upon a time there was a little girl named Lily. She loved to play in the garden with her dog"),
        ],
    ),
    "scaling_law": lambda: figures.scaling_law(
        [1.6e10, 2.8e11, 5.5e11, 3.5e10, 1.1e12, 2.75e11, 5.4e11],
        [3.88, 2.849, 2.66, 4.044, 2.55, 3.05, 2.843],
        names=["3k", "57k", "224k", "57k short", "1.35M", "12k", "224k short"],
        law=(np.geomspace(1.5e10, 8e12, 30), 1.8 + 2.1 * (np.geomspace(1.5e10, 8e12, 30) / 1.5e10) ** -0.24),
        prediction=(6e12, 2.29, 2.34),
    ),
    "resume_proof": lambda: figures.resume_proof(
        STEPS, FALLING, STEPS, FALLING, killed_at=250, hashes=("3fa9c1d27b", "3fa9c1d27b")
    ),
}

LENGTHS = np.random.default_rng(1).integers(5, 120, size=200)

EXAMPLES |= {
    "label_efficiency": lambda: figures.label_efficiency(
        [16, 64, 256, 1024, 4096],
        {
            "pretrained": [
                [0.78, 0.7, 0.85],
                [0.87, 0.82, 0.91],
                [0.92, 0.9, 0.94],
                [0.95, 0.94, 0.96],
                [0.964, 0.955, 0.97],
            ],
            "TF-IDF": [
                [0.7, 0.6, 0.78],
                [0.84, 0.78, 0.88],
                [0.91, 0.88, 0.93],
                [0.945, 0.93, 0.95],
                [0.959, 0.95, 0.966],
            ],
            "from scratch": [0.5, 0.55, 0.66, 0.8, 0.92],
        },
        unit="macro F1",
    ),
    "rank_and_forgetting": lambda: figures.rank_and_forgetting(
        ["rank 1\n0.6 %", "rank 4\n2.4 %", "rank 16\n9 %", "all\n100 %"],
        [4.94, 4.35, 3.91, 3.19],
        [2.93, 3.16, 3.78, 2.95],
        before=(9.92, 1.65),
    ),
    "singular_values": lambda: figures.singular_values(
        {
            "rank 4": [3.1, 1.6, 0.7, 0.3, 1e-9, 1e-9, 1e-9, 1e-9],
            "all weights": [2.8, 1.9, 1.1, 0.8, 0.6, 0.42, 0.31, 0.22],
        }
    ),
    "reward_frontier": lambda: figures.reward_frontier(
        [257.0, 41.0, 6.1, 1.4],
        [5.0, 3.2, 0.9, 0.1],
        [0.0, 0.03, 0.1, 0.3],
        [
            " loved loved loved loved loved loved loved loved loved loved",
            " she loved her friend and they loved the warm sun and loved the happy",
            " the boy was very happy and he loved to play with his friend",
            " the dog ran to the park and saw a big tree",
        ],
    ),
    "reward_against_length": lambda: figures.reward_against_length(
        LENGTHS, 0.02 * LENGTHS + np.random.default_rng(2).normal(size=200), np.arange(200) % 2 == 0
    ),
    "gae_ladder": lambda: figures.gae_ladder(
        [0, 0, 1], [0.5, 0.6, 0.8], [0.4355, 0.39, 0.2], tokens=[" red", " blue", "<end>"]
    ),
}
