"""lm-eval through our adapter and through its own `hf` backend, on the same model and the same local tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.evaluator import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from tuppence.core.errors import InputError
from tuppence.evaluation.evaluate import Settings, evaluate
from tuppence.evaluation.lm_eval_adapter import TuppenceLM
from tuppence.tokenizer.chat_template import CHAT_TEMPLATE

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

CHOICES = """
task: tiny_choices
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{gold}}}}"
doc_to_choice: "choices"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}, {{metric: acc_bytes}}]
"""

LAST_WORD = """
task: tiny_lambada
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{text.split(' ')[:-1]|join(' ')}}}}"
doc_to_target: "{{{{' '+text.split(' ')[-1]}}}}"
metric_list: [{{metric: perplexity}}, {{metric: acc}}]
"""

ROLLING = """
task: tiny_text
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list: [{{metric: bits_per_byte}}]
"""

WORDS = ["lamp", "rain", "café", "open", "stayed", "naïve", "nobody", "雨が降る", "minded it"]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    choices = [
        {
            "query": " ".join(WORDS[(i * k) % 9] for k in range(1, 2 + i % 12)),
            "choices": [WORDS[(i + k) % 9] + " again" * (k % 3) for k in range(4)],
            "gold": i % 4,
        }
        for i in range(30)
    ]
    texts = [{"text": " ".join(WORDS[(i + k * k) % 9] for k in range(3 + 2 * i))} for i in range(20)]
    for name, template, rows in (
        ("choices", CHOICES, choices),
        ("lambada", LAST_WORD, texts),
        ("text", ROLLING, texts),
    ):
        file = folder / f"{name}.json"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(template.format(file=file))
    return folder


@pytest.fixture(scope="module")
def ours(world: Any) -> TuppenceLM:
    return TuppenceLM(str(world.run), device="cpu")


@pytest.fixture(scope="module")
def theirs(world: Any) -> HFLM:
    return HFLM(str(world.run / "model"), device="cpu", batch_size=4, dtype="float32")


@pytest.fixture(scope="module")
def results(
    ours: TuppenceLM, theirs: HFLM, tasks: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    patch = pytest.MonkeyPatch()
    for name, value in OFFLINE.items():
        patch.setenv(name, value)
    patch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
    names = ["tiny_choices", "tiny_lambada", "tiny_text"]
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    found = [simple_evaluate(model, tasks=names, task_manager=manager, bootstrap_iters=0) for model in (ours, theirs)]
    patch.undo()
    return [one["results"] for one in found]


def test_results_are_those_of_the_hf_backend(results: list[dict[str, Any]]) -> None:
    ours, theirs = results
    compared = 0
    for task, numbers in theirs.items():
        for name, value in numbers.items():
            if isinstance(value, float):
                assert ours[task][name] == pytest.approx(value, rel=1e-4), (task, name)
                compared += 1
    assert compared >= 6


def test_our_own_tasks_find_the_numbers_of_lm_eval(results: list[dict[str, Any]], world: Any, tasks: Path) -> None:
    settings = Settings(task_data={"choices": str(tasks / "choices.json"), "lambada": str(tasks / "lambada.json")})
    found = evaluate(world.model, ["choices", "lambada"], settings, device="cpu", precision="float32")
    theirs = results[1]
    for name in ("acc", "acc_norm", "acc_bytes"):
        assert found["choices"][name] == pytest.approx(theirs["tiny_choices"][f"{name},none"])
        assert found["choices"]["rows"] == 30
    assert found["lambada"]["accuracy"] == pytest.approx(theirs["tiny_lambada"]["acc,none"])
    assert found["lambada"]["perplexity"] == pytest.approx(theirs["tiny_lambada"]["perplexity,none"], rel=1e-4)


def requests(kind: str, arguments: list[tuple[Any, ...]]) -> list[Instance]:
    return [Instance(kind, doc={}, arguments=one, idx=index) for index, one in enumerate(arguments)]


def test_every_log_likelihood_is_that_of_the_hf_backend(ours: TuppenceLM, theirs: HFLM) -> None:
    pairs = [(" ".join(WORDS[: i % 10]), " " + WORDS[i % 9]) for i in range(25)] + [("", "The rain"), ("It ", "rained")]
    asked = requests("loglikelihood", pairs)
    for (log_probability, greedy), (expected, expected_greedy) in zip(
        ours.loglikelihood(asked), theirs.loglikelihood(asked, disable_tqdm=True), strict=True
    ):
        assert log_probability == pytest.approx(expected, abs=1e-4)
        assert greedy == expected_greedy


def test_a_text_longer_than_the_context_is_scored_whole(
    ours: TuppenceLM, theirs: HFLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    # with its cache of logits on, lm-eval 0.4.13 takes the wrong rows for windows that share their tokens
    monkeypatch.setattr(theirs, "logits_cache", False)
    asked = requests("loglikelihood_rolling", [("The lamp was lit. " * count,) for count in (1, 5, 30)] + [("",)])
    assert ours.loglikelihood_rolling(asked) == pytest.approx(theirs.loglikelihood_rolling(asked), rel=1e-5)


@pytest.mark.parametrize("until", [[], [" "], ["ra", "\\n"], ["e"]])
def test_greedy_continuations_are_those_of_the_hf_backend(until: list[str], ours: TuppenceLM, theirs: HFLM) -> None:
    prompts = ["The lamp was lit, and", "It", "A third, short one. It rained again; nobody minded the rain", "x" * 90]
    asked = [(prompt, {"until": until, "max_gen_toks": 8, "do_sample": False}) for prompt in prompts]
    expected = [theirs.generate_until(requests("generate_until", [one]), disable_tqdm=True)[0] for one in asked]
    assert ours.generate_until(requests("generate_until", asked)) == expected


@pytest.mark.parametrize("last", ["user", "assistant"])
def test_a_conversation_is_the_text_that_the_hf_backend_makes_of_it(last: str, ours: TuppenceLM, theirs: HFLM) -> None:
    turns = ["system", "user", "assistant", "user"] + ["assistant"] * (last == "assistant")
    chat = [{"role": role, "content": f"{WORDS[number]} it."} for number, role in enumerate(turns)]
    theirs.tokenizer.chat_template = CHAT_TEMPLATE
    asks = last == "user"
    assert ours.apply_chat_template(chat, asks) == theirs.apply_chat_template(chat, asks)


def test_sampled_continuations_repeat_with_the_seed_of_python(ours: TuppenceLM) -> None:
    import random

    asked = requests("generate_until", [("The", {"do_sample": True, "temperature": 1.5, "max_gen_toks": 12})] * 3)
    texts = []
    for seed in (1, 1, 2):
        random.seed(seed)
        texts.append(ours.generate_until(asked))
    assert texts[0] == texts[1] != texts[2]
    assert len(set(texts[0])) > 1


def test_an_option_that_we_do_not_know_is_refused(ours: TuppenceLM) -> None:
    with pytest.raises(InputError, match="num_beams"):
        ours.generate_until(requests("generate_until", [("The", {"num_beams": 4})]))


@pytest.mark.slow
def test_the_command_line_runs_a_task(world: Any, tasks: Path, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("lm-eval")), "run", "--model", "tuppence"]
    command += ["--model_args", f"pretrained={world.run}", "--tasks", "tiny_choices"]  # lm-eval itself says cuda:0
    command += ["--include_path", str(tasks), "--limit", "5", "--output_path", str(tmp_path / "out.json")]
    environment = {**os.environ, **OFFLINE, "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "tiny_choices" in done.stdout
    (written,) = tmp_path.glob("out*.json")
    numbers = json.loads(written.read_text())
    assert numbers["config"]["model"] == "tuppence"
    assert 0 <= numbers["results"]["tiny_choices"]["acc,none"] <= 1
