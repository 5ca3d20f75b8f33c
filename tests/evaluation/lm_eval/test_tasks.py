"""lm-eval's tasks on our model find the numbers that its own `hf` backend finds on the same folder."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuppence import cli
from tuppence.core.errors import InputError, MissingExtraError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate, evaluate_several
from tuppence.tokenizer.chat_template import CHAT_TEMPLATE

TASK_FILES: dict[str, dict[str, Any]] = {
    "choices": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{query}}",
        "doc_to_target": "{{gold}}",
        "doc_to_choice": "choices",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}, {"metric": "acc_bytes"}],
    },
    "lambada": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{text.split(' ')[:-1]|join(' ')}}",
        "doc_to_target": "{{' '+text.split(' ')[-1]}}",
        "metric_list": [{"metric": "perplexity"}, {"metric": "acc"}],
    },
    "text": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte"}],
    },
    "answers": {
        "fewshot_split": "train",
        "output_type": "generate_until",
        "doc_to_text": "{{query}}",
        "doc_to_target": "{{choices[gold]}}",
        "generation_kwargs": {"until": ["e", "\n"], "max_gen_toks": 6, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}, {"metric": "bleu"}],
    },
    "broken": {
        "output_type": "generate_until",
        "doc_to_text": "{{nothing.of.this.name}}",
        "doc_to_target": "x",
        "metric_list": [{"metric": "exact_match"}],
    },
    "absent": {
        "output_type": "generate_until",
        "doc_to_text": "",
        "doc_to_target": "",
        "metric_list": [{"metric": "exact_match"}],
    },
}
GROUP = {
    "group": "tiny_group",
    "task": ["tiny_choices", "tiny_answers"],
    "aggregate_metric_list": [{"metric": "acc", "weight_by_size": True}],
}

WORDS = ["lamp", "rain", "café", "open", "stayed", "naïve", "nobody", "雨が降る", "minded it"]
TASKS = ["tiny_choices", "tiny_lambada", "tiny_text", "tiny_answers"]


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            patch.setenv(name, "1")
        patch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


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
    rows = {"choices": choices, "lambada": texts, "text": texts, "answers": choices, "broken": texts}
    for name, keys in TASK_FILES.items():
        file = folder / f"{name}.json"
        if name in rows:
            file.write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
        files = {"test": str(file), "train": str(file)}
        common = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test"}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": f"tiny_{name}", **common, **keys}))
    (folder / "group.yaml").write_text(yaml.safe_dump(GROUP))
    return folder


@pytest.fixture(scope="module")
def own_run(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run: evaluations write into it."""
    return Path(shutil.copytree(world.run, tmp_path_factory.mktemp("own") / "run"))


@pytest.fixture(scope="module", params=[{}, {"num_fewshot": 2, "apply_chat_template": True}], ids=["plain", "chat"])
def both(request: pytest.FixtureRequest, own_run: Path, tasks: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The numbers of `tuppence evaluate` and those of lm-eval's hf backend, by task."""
    from lm_eval.evaluator import simple_evaluate  # seconds: only for the process that runs these tests
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    theirs = HFLM(str(own_run / "model"), device="cpu", batch_size=4, dtype="float32")
    theirs.tokenizer.chat_template = CHAT_TEMPLATE
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    names = TASKS if not request.param else ["tiny_answers"]
    expected = simple_evaluate(theirs, tasks=list(names), task_manager=manager, **request.param)["results"]
    settings = EvalConfig(task_path=str(tasks), **request.param)
    found = evaluate(own_run, [f"lm_eval:{name}" for name in names], settings, device="cpu")
    return {name: found[f"lm_eval:{name}"] for name in names}, expected


def test_metrics_are_those_of_the_hf_backend(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found, expected = both
    compared = 0
    for task, numbers in expected.items():
        for name, value in numbers.items():
            if isinstance(value, float):
                assert found[task][name.removesuffix(",none")] == pytest.approx(value, rel=1e-4), (task, name)
                compared += 1
    assert compared >= len(expected)


def test_our_own_tasks_find_the_numbers_of_lm_eval(world: Any, tasks: Path) -> None:
    ours = {"choices": str(tasks / "choices.json"), "lambada": str(tasks / "lambada.json")}
    settings = EvalConfig(task_data=ours, task_path=str(tasks))
    names = ["choices", "lambada", "lm_eval:tiny_choices", "lm_eval:tiny_lambada"]
    found = evaluate(world.model, names, settings, device="cpu", precision="float32")
    for name in ("acc", "acc_norm", "acc_bytes"):
        assert found["choices"][name] == pytest.approx(found["lm_eval:tiny_choices"][name])
    assert found["choices"]["rows"] == found["lm_eval:tiny_choices"]["rows"] == 30
    assert found["lambada"]["accuracy"] == pytest.approx(found["lm_eval:tiny_lambada"]["acc"])
    assert found["lambada"]["perplexity"] == pytest.approx(found["lm_eval:tiny_lambada"]["perplexity"], rel=1e-4)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as finished:
        cli.main(["evaluate", *map(str, arguments)])
    printed = capsys.readouterr()
    assert isinstance(finished.value.code, int)
    return finished.value.code, printed.out, printed.err


def test_the_command_line_keeps_the_results_in_the_run(
    own_run: Path, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--task-path", tasks, "--limit", 5, "--num-fewshot", 1, "--batch-size", 2, "--json"]
    code, out, _ = run(capsys, own_run, "--lm-eval", "tiny_answers,tiny_gr*", *options)
    assert code == 0
    numbers = json.loads(out)
    assert list(numbers) == ["lm_eval:tiny_answers", "lm_eval:tiny_group"]
    assert {"rows": 5, "limit": 5, "num_fewshot": 1}.items() <= numbers["lm_eval:tiny_answers"].items()
    assert 0 <= numbers["lm_eval:tiny_group"]["tiny_choices.acc_norm"] <= 1
    assert numbers["lm_eval:tiny_group"]["acc"] == numbers["lm_eval:tiny_group"]["tiny_choices.acc"]
    kept = json.loads((own_run / "evaluation.json").read_text())
    assert {name: kept[name] for name in numbers} == numbers
    whole = json.loads((own_run / "evaluation" / "lm-eval-tiny_answers.json").read_text())
    assert whole["results"]["tiny_answers"]["bleu,none"] == numbers["lm_eval:tiny_answers"]["bleu"]
    rows = [json.loads(line) for line in (own_run / "evaluation/lm-eval-tiny_answers.jsonl").read_text().splitlines()]
    assert [row["doc_id"] for row in rows] == list(range(5))


def test_two_models_are_compared_row_by_row(world: Any, tasks: Path, tmp_path: Path) -> None:
    settings = EvalConfig(task_path=str(tasks))
    results = evaluate_several([world.model, world.run], ["lm_eval:tiny_choices"], settings, device="cpu", out=tmp_path)
    difference = results["comparison"]["tasks"]["lm_eval:tiny_choices"]["acc"]["run"]
    assert (difference["difference"], difference["units"], difference["unit"]) == (0.0, 30, "rows")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("tiny_choice", "did you mean tiny_choices?"),
        ("tiny_broken", "'nothing' is undefined"),
        ("tiny_absent", "absent.json"),
    ],
)
def test_a_task_that_cannot_run_is_refused_in_one_line(
    name: str, complaint: str, world: Any, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, world.model, "--lm-eval", name, "--task-path", tasks)
    assert code == 2
    assert complaint in err
    assert "Traceback" not in err


def test_without_lm_eval_one_line_says_how_to_install_it(
    world: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    code, _, err = run(capsys, world.model, "--lm-eval", "arc_easy")
    assert code == 2
    assert err.splitlines() == ["error: --lm-eval needs lm-eval", "  hint: pip install 'tuppence[eval]'"]
    with pytest.raises(MissingExtraError):
        evaluate(world.model, ["lm_eval:arc_easy"])


def test_options_of_lm_eval_without_its_tasks_are_refused(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, world.model, "--num-fewshot", 5)
    assert (code, "--num-fewshot is for tasks of lm-eval" in err) == (2, True)


def test_an_error_of_our_own_answers_is_no_refusal(world: Any, tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr("tuppence.evaluation.lm_eval.adapter.Decoder", fail)
    with pytest.raises(ValueError, match="a defect") as raised:
        evaluate(world.model, ["lm_eval:tiny_answers"], EvalConfig(task_path=str(tasks)), device="cpu")
    assert not isinstance(raised.value, InputError)
