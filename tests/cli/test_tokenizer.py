from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.huggingface import tokenizer_document

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "cats.txt"
    path.write_text("The cat sat on the mat, and the hat sat on the cat.\n" * 50, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tok(corpus: Path, tuppence: Run) -> Path:
    out = corpus.parent / "tok"
    done = tuppence("tokenizer", "train", corpus, "--vocab-size", 270, "--special-token", "<|user|>", "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"{out}: 270 tokens" in done.stdout
    assert "next: tuppence data prepare" in done.stderr
    return out


def test_training_writes_a_folder_that_loads(tok: Path) -> None:
    tokenizer = Tokenizer.load(tok)
    assert tokenizer.special_tokens == {"<|endoftext|>": 268, "<|user|>": 269}
    assert tokenizer.decode(tokenizer.encode("the bat")) == "the bat"


def test_training_reports_in_json_and_says_when_the_text_was_too_short(
    corpus: Path, tmp_path: Path, tuppence: Run
) -> None:
    done = tuppence("tokenizer", "train", corpus, "--vocab-size", 5000, "--out", tmp_path, "--workers", 1, "--json")
    report = json.loads(done.stdout)
    assert report["vocab_size"] == Tokenizer.load(tmp_path).vocab_size < 5000
    assert report["fingerprint"] == Tokenizer.load(tmp_path).fingerprint
    assert f"has only {report['vocab_size']} tokens" in done.stderr


def test_training_does_not_replace_another_tokenizer_without_overwrite(
    corpus: Path, tok: Path, tmp_path: Path, tuppence: Run
) -> None:
    again = ("tokenizer", "train", corpus, "--special-token", "<|user|>", "--out", tok, "--vocab-size")
    assert tuppence(*again, 270).returncode == 0  # the same one
    before = (tok / "tokenizer.json").read_bytes()
    other = tmp_path / "dogs.txt"
    other.write_text("A dog dug a bog, and a frog hugged a log.\n" * 50, encoding="utf-8")
    for arguments in [(*again, 265), (*again[:2], other, *again[3:], 270)]:
        refused = tuppence(*arguments)
        assert refused.returncode == 2
        assert f"{tok} has another tokenizer" in refused.stderr
        assert (tok / "tokenizer.json").read_bytes() == before
    copy = tmp_path / "tok"
    copy.mkdir()
    (copy / "tokenizer.json").write_bytes(before)
    done = tuppence("tokenizer", "train", other, "--vocab-size", 262, "--out", copy, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert Tokenizer.load(copy).vocab_size == 262


def test_training_reads_rows_by_their_key_and_skips_bad_ones(tmp_path: Path, tuppence: Run) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"body": "the cat the cat the cat"}\n{"nothing": 1}\n', encoding="utf-8")
    train = ("tokenizer", "train", rows, "--vocab-size", 260, "--out", tmp_path / "tok")
    assert "--text-key" in tuppence(*train).stderr
    refused = tuppence(*train, "--text-key", "body")
    assert refused.returncode == 2
    assert "line 2" in refused.stderr
    done = tuppence(*train, "--text-key", "body", "--skip-bad-rows")
    assert done.returncode == 0, done.stderr
    assert "skipped 1 bad row; the first: " in done.stderr


def test_show_gives_the_statistics(tok: Path, tuppence: Run) -> None:
    done = tuppence("tokenizer", "show", tok)
    assert "tokens       270: 256 bytes, 12 merges" in done.stdout
    assert "<|endoftext|> = 268" in done.stdout


def test_show_separates_tokens_with_bars_outside_a_terminal(tok: Path, tuppence: Run) -> None:
    done = tuppence("tokenizer", "show", tok, "the é!")
    assert done.stdout.splitlines()[0] == "t|he| |<0xC3>|<0xA9>|!"
    assert "6 tokens, 6 characters, 7 bytes: 1.17 bytes per token" in done.stdout
    assert "\x1b" not in done.stdout


def test_show_separates_tokens_with_colours_on_a_terminal(tok: Path) -> None:
    pty = pytest.importorskip("pty")
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "tuppence", "tokenizer", "show", str(tok), "the hat"]
    subprocess.run(command, stdout=inner, check=True, timeout=60, env={"TERM": "xterm", "PATH": "/usr/bin"})
    shown = os.read(outer, 2**16).decode()
    assert "\x1b[44mt\x1b[0m" in shown
    assert "|" not in shown


def test_show_reads_a_text_from_stdin_and_answers_in_json(tok: Path, tuppence: Run) -> None:
    done = tuppence("tokenizer", "show", tok, "-", "--json", input="the hat<|endoftext|>")
    report = json.loads(done.stdout)
    assert report["text"]["ids"] == Tokenizer.load(tok).encode("the hat<|endoftext|>")
    assert report["text"]["bytes"] == 20
    assert report["special_tokens"]["<|endoftext|>"] == 268


def test_import_reads_what_training_wrote(tok: Path, tmp_path: Path, tuppence: Run) -> None:
    done = tuppence("tokenizer", "import", tok / "tokenizer.json", "--out", tmp_path / "copy", "--json")
    assert json.loads(done.stdout)["fingerprint"] == Tokenizer.load(tmp_path / "copy").fingerprint
    assert Tokenizer.load(tmp_path / "copy").fingerprint == Tokenizer.load(tok).fingerprint


def test_import_does_not_replace_another_tokenizer_without_overwrite(
    tok: Path, corpus: Path, tmp_path: Path, tuppence: Run
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    train_tokenizer(["abc"], 258, special_tokens=("<|endoftext|>", "<|im_end|>")).save(model)
    (model / "chat_template.jinja").write_text("theirs")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    refused = tuppence("tokenizer", "import", tok, "--out", model)
    assert refused.returncode == 2
    assert f"{model} has another tokenizer" in refused.stderr
    assert "--overwrite" in refused.stderr
    itself = tuppence("tokenizer", "import", model, "--out", model)
    assert itself.returncode == 0, itself.stderr
    assert "has this tokenizer already" in itself.stderr
    other_end = tuppence("tokenizer", "import", model, "--end-of-text", "<|im_end|>", "--out", model)
    assert other_end.returncode == 2
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    done = tuppence("tokenizer", "import", tok, "--out", model, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert Tokenizer.load(model).fingerprint == Tokenizer.load(tok).fingerprint
    assert not (model / "chat_template.jinja").exists()


@pytest.mark.parametrize(("file", "kind"), [("run.yaml", "is a run"), ("index.json", "holds token shards")])
def test_a_run_and_token_shards_get_no_second_tokenizer(
    tok: Path, corpus: Path, tmp_path: Path, tuppence: Run, file: str, kind: str
) -> None:
    (tmp_path / file).write_text("{}")
    for words in (("import", tok), ("train", corpus, "--vocab-size", 270)):
        refused = tuppence("tokenizer", *words, "--out", tmp_path)
        assert refused.returncode == 2
        assert f"{tmp_path} {kind}, not a tokenizer" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_training_does_not_replace_a_tokenizer_in_an_older_layout(corpus: Path, tmp_path: Path, tuppence: Run) -> None:
    model = tokenizer_document(train_tokenizer(["abc"], 257).vocabulary)["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    refused = tuppence("tokenizer", "train", corpus, "--vocab-size", 258, "--out", tmp_path)
    assert refused.returncode == 2
    assert "has another tokenizer" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merges.txt", "vocab.json"]


def test_the_hint_for_a_tokenizer_without_an_end_of_text_can_be_followed(tmp_path: Path, tuppence: Run) -> None:
    train_tokenizer(["abc"], 257, special_tokens=("<s>",)).save(tmp_path / "none")
    (tmp_path / "a.txt").write_text("abc")
    prepare = ("data", "prepare", "a.txt", "--out", "data", "--tokenizer")
    refused = tuppence(*prepare, "none", cwd=tmp_path)
    assert refused.returncode == 2
    hint = refused.stderr.split("give it one: tuppence ")[1].split("\n")[0]
    words = shlex.split(hint.replace("FOLDER", "none").replace("TOK", "tok"))
    assert tuppence(*words, cwd=tmp_path).returncode == 0
    assert tuppence(*prepare, "tok", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "CORPUS", "--vocab-size", "100", "--out", "x"], "has no room for the 256 bytes"),
        (["train", "CORPUS", "--vocab-size", "300", "--pattern", "gpt5", "--out", "x"], "no split pattern 'gpt5'"),
        (["train", "missing.txt", "--vocab-size", "300", "--out", "x"], "missing.txt"),
        (["import", "missing.tiktoken", "--pattern", "gpt2", "--out", "x"], "cannot read missing.tiktoken"),
        (["show", "missing"], "cannot read missing"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, corpus: Path, tmp_path: Path, tuppence: Run
) -> None:
    words = [str(corpus) if word == "CORPUS" else word for word in arguments]
    done = tuppence("tokenizer", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("verb", ["train", "import", "show"])
def test_help_shows_an_example(verb: str, tuppence: Run) -> None:
    assert f"\n    tuppence tokenizer {verb} " in tuppence("tokenizer", verb, "--help").stdout
