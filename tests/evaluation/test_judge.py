"""The judge against an endpoint on this machine that answers, refuses, fails and redirects as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.evaluation import chat_client
from tuppence.evaluation.chat_client import ChatClient, key_from
from tuppence.evaluation.evaluate import Settings, evaluate
from tuppence.evaluation.judge import score_in


class Endpoint:
    """Answers from `replies` in turn (status and text), the last one for ever; keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, str]] = [(200, "50")]
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        endpoint, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    endpoint.asked.append(body)
                    endpoint.keys.append(self.headers.get("Authorization"))
                    status, text = endpoint.replies[0]
                    if len(endpoint.replies) > 1:
                        endpoint.replies.pop(0)
                answer = {"choices": [{"message": {"role": "assistant", "content": text}}]}
                content = json.dumps(answer).encode() if status == 200 and not text.startswith("RAW") else text.encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()
    thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    rows = [{"instruction": f"Say {{word}} {n}", "input": "", "output": f"word {n}"} for n in range(6)]
    path.write_text(json.dumps(rows))
    return path


def settings_for(endpoint: Endpoint, file: Path) -> Settings:
    return Settings(data=str(file), answer_tokens=3, judge_url=endpoint.url, judge_model="stern")


def test_scores_are_averaged_and_what_has_none_is_counted_apart(
    endpoint: Endpoint, world: Any, file: Path, tmp_path: Path
) -> None:
    endpoint.replies = [(200, "80"), (200, "Score: 60/100"), (200, "What an answer!"), (200, "40")]
    settings = settings_for(endpoint, file)
    numbers = evaluate(world.model, ["judge"], settings, device="cpu", out=tmp_path / "out")["judge"]
    assert numbers["score"] == pytest.approx((80 + 60 + 40 + 40 + 40) / 5)
    assert (numbers["scored"], numbers["unparsed"], numbers["rows"]) == (5, 1, 6)
    assert (numbers["judge_model"], numbers["judge_url"]) == ("stern", f"{endpoint.url}/chat/completions")

    asked = endpoint.asked[0]
    assert (asked["model"], asked["temperature"]) == ("stern", 0)
    lines = (tmp_path / "out" / "evaluation" / "judge.jsonl").read_text().splitlines()
    assert "from 0 (useless or wrong) to 100" in json.loads(lines[0])["key"]["settings"]["judge_prompt"]
    kept = [json.loads(line) for line in lines[1:]]
    assert sorted(row["reply"] for row in kept) == sorted(["80", "Score: 60/100", "What an answer!", "40", "40", "40"])
    assert {row["prompt"] for row in kept} == {one["messages"][0]["content"] for one in endpoint.asked}
    assert all("Say {word}" in row["prompt"] and row["judge_model"] == "stern" for row in kept)

    count = len(endpoint.asked)
    again = evaluate(world.model, ["judge"], settings, device="cpu", out=tmp_path / "out")["judge"]
    assert len(endpoint.asked) == count  # nothing is paid for twice
    assert again["score"] == numbers["score"]


def test_a_judge_without_any_score_gives_no_mean(endpoint: Endpoint, world: Any, file: Path) -> None:
    endpoint.replies = [(200, "I would rather not say.")]
    numbers = evaluate(world.model, ["judge"], settings_for(endpoint, file), device="cpu")["judge"]
    assert (numbers["score"], numbers["unparsed"]) == (None, 6)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("100", 100),
        ("0", 0),
        ("72.5", 72.5),
        (" **85** ", 85),
        ("On a scale of 0-100, the score is 70.", 70),
        ("Score (0-100): 85", 85),
        ("35 out of 100", 35),
        ("Score: 20. No, wait. Score: 30", 30),
        ("It has 3 errors in 2 lines.", None),
        ("-5", None),
        ("101", None),
        ("", None),
        ("2nd best", None),
        ("between 60 and 70", None),
    ],
)
def test_a_score_is_a_number_that_can_be_meant(reply: str, score: float | None) -> None:
    assert score_in(reply) == score


def client(endpoint: Endpoint, **options: Any) -> ChatClient:
    return ChatClient(endpoint.url, "m", wait=0.001, **options)


def test_a_busy_endpoint_is_asked_again(endpoint: Endpoint) -> None:
    endpoint.replies = [(429, "slow down"), (503, "starting"), (200, "7")]
    assert client(endpoint).ask("?", max_tokens=5) == "7"
    assert len(endpoint.asked) == 3


def test_an_endpoint_that_stays_busy_is_given_up(endpoint: Endpoint) -> None:
    endpoint.replies = [(500, "broken")]
    with pytest.raises(InputError, match="refuses with 500: broken"):
        client(endpoint).ask("?", max_tokens=5)
    assert len(endpoint.asked) == chat_client.ATTEMPTS


def test_a_refusal_is_final_and_the_key_stands_in_no_message(endpoint: Endpoint) -> None:
    endpoint.replies = [(401, "bad key")]
    asking = client(endpoint, key="sk-secret")
    with pytest.raises(InputError, match="refuses with 401: bad key") as refusal:
        asking.ask("?", max_tokens=5)
    assert len(endpoint.asked) == 1
    assert endpoint.keys == ["Bearer sk-secret"]
    assert "sk-secret" not in refusal.value.message + refusal.value.hint + repr(asking)


def test_a_redirect_is_not_followed(endpoint: Endpoint) -> None:
    endpoint.replies = [(302, f"{endpoint.url}/elsewhere"), (200, "7")]
    with pytest.raises(InputError, match="refuses with 302"):
        client(endpoint, key="sk-secret").ask("?", max_tokens=5)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("reply", ["RAW<html>hello</html>", "RAW" + "x" * (2**20 + 1)])
def test_another_kind_of_server_is_noticed(reply: str, endpoint: Endpoint) -> None:
    endpoint.replies = [(200, reply)]
    with pytest.raises(InputError, match=r"does not answer as an OpenAI|answers with more than"):
        client(endpoint).ask("?", max_tokens=5)


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        ChatClient("http://127.0.0.1:9/v1", "m", wait=0.001).ask("?", max_tokens=5)


def test_wrong_settings_are_refused_before_the_model_answers(world: Any, file: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(InputError, match="judge needs a judge"):
        evaluate(world.model, ["judge"], Settings(data=str(file)), device="cpu")
    with pytest.raises(InputError, match="NO_SUCH_KEY is not set"):
        key_from("NO_SUCH_KEY")
    with pytest.raises(InputError, match="no http or https address"):
        ChatClient("file:///etc/passwd", "m")
