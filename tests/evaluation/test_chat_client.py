"""One question to an endpoint on this machine, against what openai's own client sends and reads."""

from __future__ import annotations

from typing import Any

import pytest
from tests.evaluation.conftest import Endpoint

from tuppence.core.errors import InputError
from tuppence.evaluation import chat_client
from tuppence.evaluation.chat_client import ChatClient, key_from


def client(endpoint: Endpoint, **options: Any) -> ChatClient:
    return ChatClient(endpoint.url, "m", **{"wait": 0.001, **options})


def test_the_request_and_the_answer_are_those_of_openais_client(endpoint: Endpoint) -> None:
    openai = pytest.importorskip("openai")
    endpoint.replies = [(200, "café, 7 ")]
    theirs = openai.OpenAI(base_url=endpoint.url, api_key="sk-secret").chat.completions.create(
        model="m", messages=[{"role": "user", "content": "naïve “?”\n"}], temperature=0, max_tokens=5
    )
    answer = client(endpoint, key="sk-secret").ask("naïve “?”\n", max_tokens=5)
    assert answer == theirs.choices[0].message.content == "café, 7 "
    assert endpoint.asked[1] == endpoint.asked[0]
    assert endpoint.keys[1] == endpoint.keys[0] == "Bearer sk-secret"


@pytest.mark.parametrize("given", ["http://a/v1", "http://a/v1/", "http://a/v1/chat/completions"])
def test_the_path_of_the_chat_api_is_added_if_it_is_missing(given: str) -> None:
    assert ChatClient(given, "m").endpoint == "http://a/v1/chat/completions"


def test_a_busy_endpoint_is_retried_with_doubled_waits(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(chat_client.time, "sleep", waits.append)
    endpoint.replies = [(429, "slow down"), (503, "starting"), (500, "sorry"), (200, "7")]
    assert client(endpoint, wait=1.5).ask("?", max_tokens=5) == "7"
    assert waits == [1.5, 3, 6]


def test_an_endpoint_that_stays_busy_is_an_error(endpoint: Endpoint) -> None:
    endpoint.replies = [(500, "broken")]
    with pytest.raises(InputError, match="refuses the request with 500: broken"):
        client(endpoint).ask("?", max_tokens=5)
    assert len(endpoint.asked) == chat_client.ATTEMPTS


def test_a_refusal_is_not_retried_and_no_message_holds_the_key(endpoint: Endpoint) -> None:
    endpoint.replies = [(401, "bad key")]
    asking = client(endpoint, key="sk-secret")
    with pytest.raises(InputError, match="refuses the request with 401: bad key") as refusal:
        asking.ask("?", max_tokens=5)
    assert len(endpoint.asked) == 1
    assert endpoint.keys == ["Bearer sk-secret"]
    assert "sk-secret" not in refusal.value.message + refusal.value.hint + repr(asking)


def test_a_redirect_is_not_followed(endpoint: Endpoint) -> None:
    endpoint.replies = [(302, f"{endpoint.url}/elsewhere"), (200, "7")]
    with pytest.raises(InputError, match="refuses the request with 302"):
        client(endpoint, key="sk-secret").ask("?", max_tokens=5)
    assert len(endpoint.asked) == 1


def test_half_of_a_surrogate_pair_is_replaced(endpoint: Endpoint) -> None:
    endpoint.replies = [(200, "Score: 50 \ud83d")]
    assert client(endpoint).ask("?", max_tokens=5).encode() == b"Score: 50 ?"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("RAW<html>hello</html>", "does not answer as an OpenAI chat endpoint: RAW<html>hello"),
        ("RAW" + "x" * (2**20 + 1), "answers with more than 1,048,576 bytes"),
    ],
    ids=["html", "large"],
)
def test_a_reply_of_another_kind_of_server_is_an_error(reply: str, message: str, endpoint: Endpoint) -> None:
    endpoint.replies = [(200, reply)]
    with pytest.raises(InputError, match=message):
        client(endpoint).ask("?", max_tokens=5)


def test_an_unreachable_endpoint_is_an_error_of_one_line() -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        ChatClient("http://127.0.0.1:9/v1", "m", wait=0.001).ask("?", max_tokens=5)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:8000/v1", "http://", ""])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="is not an http or https address") as refusal:
        ChatClient(url, "m")
    assert "http://localhost:8000/v1" in refusal.value.hint


@pytest.mark.parametrize(
    ("url", "warned"), [("http://10.0.0.7/v1", True), ("https://10.0.0.7/v1", False), ("http://localhost/v1", False)]
)
def test_sending_a_key_unencrypted_gives_a_warning(url: str, warned: bool, capsys: pytest.CaptureFixture[str]) -> None:
    ChatClient(url, "m", key="sk-secret")
    said = capsys.readouterr().err
    assert said == ("warning: the key is sent to 10.0.0.7 unencrypted: use https\n" if warned else "")


def test_the_key_is_read_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret")
    monkeypatch.setenv("EMPTY_KEY", "")
    assert (key_from("A_KEY"), key_from(None)) == ("sk-secret", None)
    with pytest.raises(InputError, match="EMPTY_KEY is not set") as refusal:
        key_from("EMPTY_KEY")
    assert refusal.value.hint.startswith("export EMPTY_KEY=")
