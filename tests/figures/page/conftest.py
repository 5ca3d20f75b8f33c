"""A toy language model in a run folder, and Node to run the page's JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.figures.page.live import javascript
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.patterns import PatternName

TEXTS = [f"It's {row} o'clock, and all's well; naïve café, 字幕 {row * 7}!\n\n  We'll see.\r\n" for row in range(300)]
PROMPT = "It's 7 o'clock, and all's well"


def toy_tokenizer(pattern: PatternName = "gpt2", special_tokens: tuple[str, ...] = ("<|endoftext|>",)) -> Tokenizer:
    return train_tokenizer(TEXTS, 400, pattern=pattern, special_tokens=special_tokens)


def toy_model(seed: int = 0, **sizes: Any) -> GPT:
    """A random model whose logits differ clearly between tokens, with rows for 9 ids that the tokenizer lacks."""
    config = ModelConfig(
        **{"n_layers": 2, "n_heads": 4, "d_model": 32, "context_length": 48, "vocab_size": 409, **sizes}
    )
    torch.manual_seed(seed)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.25)
        model.final_norm.weight.normal_(mean=1.0, std=0.1)
    return model.eval()


def write_run(folder: Path, model: GPT, tokenizer: Tokenizer, prompt: str = PROMPT) -> Path:
    """A run folder with a model and one sample."""
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text("version: 1\nverb: pretrain\nstatus: done\n")
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 5.0}\n')
    (folder / "samples.jsonl").write_text(json.dumps({"step": 1, "prompt": prompt, "text": " and so on"}) + "\n")
    save_model(model, folder / "model", tokenizer=tokenizer)
    return folder


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return toy_tokenizer()


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "toy", toy_model(), tokenizer)


@pytest.fixture(scope="session")
def node() -> Callable[[str, Any], Any]:
    """`node("value => …", value)`: the result of a function of JavaScript that sees the classes of the page."""
    program = shutil.which("node")
    if program is None:
        pytest.skip(
            "the page's numbers are not tested in Node: node is not installed (Debian, Ubuntu: apt install nodejs)"
        )

    def call(function: str, value: Any) -> Any:
        reply = f"process.stdout.write(JSON.stringify(({function})(JSON.parse(require('fs').readFileSync(0)))))"
        ran = subprocess.run(
            [program, "-e", without_start() + reply],
            input=json.dumps(value),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return call


def without_start() -> str:
    """The classes and functions of the page, without the last file, which needs the page's elements."""
    inside = javascript().split('"use strict";', 1)[1]
    return '"use strict";' + inside.split("// The controls that all models", 1)[0]
