"""`finetune classify`, `classify` and `evaluate` as a person uses them: kills, equivalences, bad input."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.integration.command_lines import finetune_line, losses
from tests.integration.conftest import Check, Run, Start
from tests.ranks import as_ranks

from tuppence.core.json_lines import read_json_lines

STEPS = 24
WHOLE = {"finetune__word_dropout": "0", "finetune__crop": "0"}
"""To learn from whole texts: they are short, and the steps few."""
SPAM = ["You have WON a prize", "FREE entry, call now", "Claim your cash", "Win a phone today"]
HAM = ["See you at noon", "It rained on the way", "Where are you", "I will call mum later"]


@pytest.fixture(scope="session")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred messages in the form of the SMS collection, a fifth of them spam."""
    path = tmp_path_factory.mktemp("messages") / "messages"
    rows = [("spam", f"{SPAM[n % 4]} {n}!") if n % 5 == 0 else ("ham", f"{HAM[n % 4]}, {n}") for n in range(100)]
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows))
    return path


line = partial(finetune_line, "finetune classify", steps=STEPS)


LEARNS = {"train__learning_rate": "0.005", "train__embedding_learning_rate": "0.01"}


@pytest.fixture(scope="module")
def spam(tuppence: Run, base: Path, messages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that has learned them."""
    out = tmp_path_factory.mktemp("spam") / "run"
    done = tuppence(*line(base, messages, out, train__eval_every="8", **LEARNS, **WHOLE))
    assert done.returncode == 0, done.stderr
    assert "70 training, 10 validation, 20 test rows" in done.stderr
    assert "TF-IDF + logistic regression: accuracy" in done.stderr
    return out


def test_classifier_learns_and_is_evaluated_on_its_test_split(tuppence: Run, spam: Path) -> None:
    scored = [row for row in read_json_lines(spam / "metrics.jsonl") if "val_loss" in row]
    assert scored[0]["step"] == 0
    assert scored[-1]["val_loss"] < scored[1]["val_loss"] < 0.7
    kept = json.loads((spam / "evaluation.json").read_text())["classification"]
    assert kept["accuracy"] >= 0.9
    assert kept["f1_of"] == "spam"
    done = tuppence("evaluate", spam, "--json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)["classification"]
    assert {**again, "seconds": 0} == {**kept, "seconds": 0}
    assert tuppence("evaluate", spam).returncode == 0
    assert tuppence("report", spam).returncode == 0
    assert "The language model against baselines" in (spam / "report.html").read_text()


def test_texts_files_and_stdin_are_classified_alike_and_as_transformers_does(
    tuppence: Run, spam: Path, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    texts = [f"{SPAM[0]} now!", HAM[1], "x"]
    done = tuppence("classify", spam, *texts, "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [one["text"] for one in results] == texts
    assert [one["label"] for one in results[:2]] == ["spam", "ham"]

    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(spam / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(spam / "model")
    with torch.no_grad():
        expected = theirs(**tokenizer(texts, return_tensors="pt", padding=True)).logits.softmax(dim=-1)
    ours = [[one["probabilities"][label] for label in theirs.config.id2label.values()] for one in results]
    assert np.abs(np.array(ours) - expected.numpy()).max() < 1e-5
    pipeline = transformers.pipeline("text-classification", model=str(spam / "model"), device="cpu", batch_size=3)
    assert [one["label"] for one in pipeline(texts)] == [one["label"] for one in results]

    (tmp_path / "some.csv").write_text("id,body\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)))
    from_file = tuppence("classify", spam, "--file", tmp_path / "some.csv", "--text-column", "body", "--json")
    assert json.loads(from_file.stdout) == results
    piped = tuppence("classify", spam, "--json", input="\n".join(texts) + "\n\n")
    assert json.loads(piped.stdout) == results
    plain = tuppence("classify", spam, *texts).stdout.splitlines()
    assert [row.split("\t")[0] for row in plain] == [one["label"] for one in results]
    assert json.loads(tuppence("classify", spam, "--json", input="\n").stdout) == []


def test_a_lora_classifier_opens_in_peft_and_its_checkpoints_hold_what_is_trained(
    tuppence: Run, base: Path, messages: Path, tmp_path: Path
) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    out = tmp_path / "run"
    options = {"lora__rank": "4", "train__learning_rate": "0.02"}
    done = tuppence(*line(base, messages, out, "--train", "lora", steps=6, **options))
    assert done.returncode == 0, done.stderr
    names = load_file(out / "checkpoints" / "step-00000006" / "model.safetensors")
    assert {name.rpartition(".")[2] for name in names} == {"lora_A", "lora_B", "weight"}
    assert [name for name in names if not name.rpartition(".")[2].startswith("lora")] == ["score.weight"]

    whole = transformers.AutoModelForSequenceClassification.from_pretrained(out / "model").eval()
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(base / "model", num_labels=2)
    plain.config.pad_token_id = whole.config.pad_token_id
    adapted = peft.PeftModel.from_pretrained(plain, out / "adapter").eval()
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        assert (adapted(tokens).logits - whole(tokens).logits).abs().max() < 1e-5


@pytest.mark.parametrize("what", ["head", "last-block"])
def test_parameters_that_are_not_trained_keep_the_bits_of_the_base(
    tuppence: Run, base: Path, messages: Path, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "run"
    done = tuppence(*line(base, messages, out, "--train", what, "--balance", steps=2))
    assert done.returncode == 0, done.stderr
    before, after = (load_file(folder / "model" / "model.safetensors") for folder in (base, out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(name.startswith(("transformer.h.1.", "transformer.ln_f.")) for name in changed)
    assert bool(changed) == (what == "last-block")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["all", "lora"])
def test_kills_change_no_bit(assert_kills_change_no_bit: Check, base: Path, messages: Path, what: str) -> None:
    options = {"train__checkpoint_every": "3", "train__eval_every": "9", "finetune__dropout": "0.1"}
    runs = assert_kills_change_no_bit(
        lambda out: line(base, messages, out, "--train", what, **options), steps=STEPS, kills=3, more="splits"
    )
    scores = [json.loads((run / "evaluation.json").read_text())["classification"] for run in runs]
    assert scores[0]["intervals"] == scores[1]["intervals"]


@pytest.mark.slow
def test_one_large_batch_equals_eight_small_ones_and_two_ranks(
    tuppence: Run, start_tuppence: Start, base: Path, messages: Path, tmp_path: Path
) -> None:
    for name, batch, steps in (("1x8", "8", "1"), ("8x1", "1", "8")):
        options = {
            "train__batch_size": batch,
            "train__accumulation_steps": steps,
            "finetune__dropout": "0",  # what is left out of a text, on the other hand, is drawn for the text
        }
        done = tuppence(*line(base, messages, tmp_path / name, steps=10, **options))
        assert done.returncode == 0, done.stderr
    rank = line(*(base, messages, tmp_path / "ranks"), steps=10, train__batch_size="4", finetune__dropout="0")
    for done in as_ranks(start_tuppence, [rank, rank]):
        assert done.returncode == 0, done.stderr[-2000:]
    whole = losses(tmp_path / "1x8")
    assert len(whole) == 10
    # the epoch's ninth batch has six rows: ranks and steps share that one out, too
    assert losses(tmp_path / "8x1") == pytest.approx(whole, abs=2e-5)
    assert losses(tmp_path / "ranks") == pytest.approx(whole, abs=2e-5)
    assert (tmp_path / "ranks" / "evaluation.json").exists()


def test_run_that_ends_at_its_budget_has_an_evaluated_model(
    tuppence: Run, base: Path, messages: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    capped = line(base, messages, out, "--budget", 0.006, "--rate", 1.0, steps=100_000)  # 22 seconds
    done = tuppence(*capped, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["result"]["dollars"] <= 0.006
    assert summary["evaluation"]["classification"]["rows"] == 20


def refuse(tuppence: Run, *words: object) -> str:
    done = tuppence(*words)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    errors = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("  hint: ")
    return errors[0]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ("ham\tsee you\nham\tit rained\nham\tat noon\n", [], "the data has only the label 'ham'"),
        ("spam\twon it\nham\tsee you\nham\t \nham\tat noon\n", [], "line 3: the text is empty"),
        ("a,b,c\n1,2,3\n4,5,6\n", [], "which column is the text? It has a, b, c"),
        ("a,b,c\n1,2,3\n4,5,6\n", ["--text-column", "z"], "has no column 'z' (it has a, b, c)"),
        ("spam\twon it\nham\tsee you\nham\tit rained\nham\tat noon\n", [], "the label 'spam' has 1 row, too few"),
        ("", [], "is empty"),
    ],
)
def test_bad_rows_are_one_line_and_exit_code_2(
    tuppence: Run, base: Path, tmp_path: Path, content: str, more: list[str], message: str
) -> None:
    (tmp_path / "data").write_text(content)
    assert message in refuse(tuppence, *line(base, tmp_path / "data", tmp_path / "run", *more))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["--val", "--test"])
def test_an_unknown_label_in_a_held_out_file_is_refused(
    tuppence: Run, base: Path, messages: Path, tmp_path: Path, part: str
) -> None:
    (tmp_path / "other").write_text("eggs\tbreakfast is ready\nham\tsee you\nham\tit rained\n")
    words = line(base, messages, tmp_path / "run", part, tmp_path / "other")
    assert "has the label 'eggs', which the training data lacks" in refuse(tuppence, *words)


def test_wrong_models_choices_and_places_are_refused(
    tuppence: Run, base: Path, messages: Path, spam: Path, tmp_path: Path
) -> None:
    assert "is a language model: it has no scores" in refuse(tuppence, "classify", base, "hello")
    assert "classifier, not a language model" in refuse(tuppence, *line(spam, messages, tmp_path / "run"))
    assert "finetune.train" in refuse(tuppence, *line(base, messages, tmp_path / "run", "--train", "some"))
    balanced = line(base, messages, spam, "--balance", **WHOLE)
    assert "was started with finetune.balance=False" in refuse(tuppence, *balanced)
    assert "there is no such file" in refuse(tuppence, "classify", spam, "--file", tmp_path / "none.txt")
    assert "text 2 is empty" in refuse(tuppence, "classify", spam, "hello", " ")
    assert "exclude each other" in refuse(tuppence, "classify", spam, "hello", "--file", messages)
