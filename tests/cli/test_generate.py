from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import Call

from tuppence.model.adapters import WEIGHTS, save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.lora import LoRA, add_lora, lora_layers
from tuppence.model.sampling import Sampling
from tuppence.model.saving import save_model
from tuppence.model.text import generate_text
from tuppence.model.weights import fingerprint, load_model
from tuppence.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a small random model that generates many different tokens."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    tokenizer = train_tokenizer(["the cat sat on the mat, and the dog sat on the cat. été à Zürich"], vocab_size=290)
    torch.manual_seed(0)
    model = GPT(ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=48, vocab_size=tokenizer.vocab_size))
    with torch.no_grad():
        model.position_embedding.weight.normal_(std=2)
    save_model(model, folder / "model", tokenizer=tokenizer)
    return folder


def test_prompt_and_continuation_go_to_stdout_and_nothing_else(run_folder: Path, call: Call) -> None:
    code, out, _err = call("generate", run_folder, "--prompt", "the cat", "--max-tokens", 20, "--seed", 3)
    tokenizer, model = Tokenizer.load(run_folder / "model"), load_model(run_folder)
    expected = generate_text(
        model, tokenizer, ["the cat"], Sampling(max_tokens=20, temperature=0.7, top_p=0.9, seed=3)
    )[0]
    assert code == 0
    assert out == "the cat" + expected.text + "\n"


def test_several_prompts_and_samples_as_json(run_folder: Path, call: Call) -> None:
    _code, out, _err = call(
        "generate", run_folder, "--prompt", "the", "--prompt", "a dog", "--num-samples", 2,
        "--max-tokens", 5, "--seed", 1, "--json",
    )  # fmt: skip
    results = json.loads(out)
    assert [result["prompt"] for result in results] == ["the", "the", "a dog", "a dog"]
    assert results[0]["text"] != results[1]["text"]
    assert set(results[0]) == {"prompt", "text", "finish_reason", "prompt_tokens", "completion_tokens"}


def test_a_stop_text_with_a_backslash_gives_a_warning(run_folder: Path, call: Call) -> None:
    _, _, err = call("generate", run_folder, "--prompt", "the", "--max-tokens", 1, "--stop", "\\n\\n")
    assert r"for a line break or tab write --stop $'\n\n'" in err
    assert call("generate", run_folder, "--prompt", "the", "--max-tokens", 1, "--stop", "\n\n")[2] == ""


def test_a_tokenizer_of_another_model_is_refused_before_the_prompt_is_shown(tmp_path: Path, call: Call) -> None:
    tokenizer = train_tokenizer(["the cat sat"], vocab_size=262)
    save_model(GPT(ModelConfig(n_layers=1, n_heads=1, d_model=4, context_length=8, vocab_size=100)), tmp_path / "model")
    tokenizer.save(tmp_path / "model")
    code, out, err = call("generate", tmp_path / "model", "--prompt", "the cat")
    assert (code, out) == (2, "")
    assert "has 262 ids, the model only 100" in err


def test_ignored_generation_settings_are_named_once(run_folder: Path, tmp_path: Path, call: Call) -> None:
    shutil.copytree(run_folder / "model", tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text("{{ messages }}")
    settings = {"eos_token_id": [0], "repetition_penalty": 1.2}
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps(settings))
    code, _, err = call("chat", tmp_path / "model", "--max-tokens", 1, stdin="the cat\nthe dog\n")
    assert code == 0
    assert err.count("ignored in generation_config.json: repetition_penalty") == 1
    assert err.count("the model's own chat template is not used") == 1
    assert "not used" not in call("chat", run_folder, "--max-tokens", 1, stdin="the cat\n")[2]


def test_a_dash_reads_the_prompt_from_stdin_without_its_last_line_end(run_folder: Path, call: Call) -> None:
    piped = call("generate", run_folder, "--prompt", "-", "--temperature", 0, stdin="the cat\n")
    given = call("generate", run_folder, "--prompt", "the cat", "--temperature", 0)
    assert piped == given
    assert piped[0] == 0
    several = ("--num-samples", 2, "--seed", 3, "--json")
    assert call("generate", run_folder, "--prompt", "-", *several, stdin="the cat\n") == call(
        "generate", run_folder, "--prompt", "the cat", *several
    )


def test_an_adapter_s_folder_is_its_base_with_the_adapter(run_folder: Path, tmp_path: Path, call: Call) -> None:
    model = load_model(run_folder)
    add_lora(model, lora := LoRA(rank=2))
    with torch.no_grad():
        for _, layer in lora_layers(model):
            layer.lora_B.normal_(std=2)
    base = run_folder / "model"
    save_adapter(model, tmp_path / "adapter", lora, base=base, base_sha256=fingerprint(base))
    asked = ("--prompt", "the cat", "--max-tokens", 20, "--temperature", 0)
    _code, out, _err = call("generate", tmp_path / "adapter", *asked)
    expected = generate_text(
        load_model(tmp_path / "adapter"), Tokenizer.load(base), ["the cat"], Sampling(max_tokens=20, temperature=0)
    )
    assert out == f"the cat{expected[0].text}\n"
    assert out != call("generate", run_folder, *asked)[1]
    (tmp_path / "adapter" / WEIGHTS).write_bytes(b"torn")
    code, _out, err = call("generate", tmp_path / "adapter", *asked)
    assert code == 2
    assert "not a complete safetensors file" in err


def test_a_long_prompt_is_continued_with_a_warning(run_folder: Path, call: Call) -> None:
    code, out, err = call("generate", run_folder, "--prompt", "x" * 100, "--max-tokens", 3)
    assert code == 0
    assert out.startswith("x" * 100)
    assert "context 48" in err


def test_a_reader_that_closes_the_pipe_early_is_no_error(run_folder: Path) -> None:
    words = f"{sys.executable} -m tuppence generate {run_folder} --prompt the --max-tokens 2000"
    command = f"set -o pipefail; {words} | head -c 5"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=120)
    assert done.stdout.startswith(b"the")
    assert (done.stderr, done.returncode) == (b"", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prompt", "x", "--temperature", "-1"), "temperature -1.0"),
        (("--prompt", "x", "--top-p", "2"), "top-p 2.0"),
        (("--prompt", "x", "--top-k", "0"), "top-k 0"),
        (("--prompt", "x", "--stop", ""), "stop string is empty"),
        (("--prompt", "x", "--precision", "int4"), "int4"),
        ((), "--prompt"),
    ],
)
def test_wrong_input_is_one_line_and_a_hint_and_exit_code_2(
    arguments: tuple[str, ...], message: str, run_folder: Path, call: Call
) -> None:
    code, out, err = call("generate", run_folder, *arguments)
    assert (code, out) == (2, "")
    error, hint = err.strip().splitlines()[-2:]
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("  hint: ")


def test_a_missing_run_is_named(tmp_path: Path, call: Call) -> None:
    code, _out, err = call("generate", tmp_path / "gone", "--prompt", "x")
    assert code == 2
    assert "gone does not exist" in err


def test_chat_answers_piped_lines_and_ends_after_the_last(run_folder: Path, call: Call) -> None:
    lines = "the cat\n\n/reset\nthe cat\n/exit\nnever read\n"
    code, out, err = call("chat", run_folder, "--max-tokens", 8, "--temperature", 0, stdin=lines)
    assert code == 0
    first, second = out.splitlines()
    assert first == second  # a new conversation in between
    assert "new conversation" in err
    assert ">" not in out
    again = call("chat", run_folder, "--max-tokens", 8, "--temperature", 0, stdin="the cat")
    assert again[1] == first + "\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_ctrl_c_stops_the_answer_and_not_the_program(run_folder: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "tuppence", "chat", str(run_folder), "--max-tokens", "1000000", "--seed", "1"]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        os.write(ours, b"the cat\n")
        assert process.stdout.read(20)  # it is generating
        process.send_signal(signal.SIGINT)
        while b"stopped" not in process.stderr.readline():
            assert process.poll() is None
        assert process.stderr.read(2) == b"> "
        process.send_signal(signal.SIGINT)  # at the prompt: does not end the program either
        while b"stopped" not in process.stderr.readline():
            assert process.poll() is None
        os.write(ours, b"/exit\n")
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
