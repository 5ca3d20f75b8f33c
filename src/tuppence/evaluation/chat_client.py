"""Sends one question to an OpenAI-compatible chat endpoint and returns its answer. Uses the standard library only.

Time, retries and the size of a reply are limited. Redirects are refused, because they would send the key to another
host. The key is read from an environment variable and sent as a header; no message and no file contains it.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tuppence.core.console import warn
from tuppence.core.errors import InputError

REPLY_LIMIT_BYTES = 2**20
TIMEOUT_SECONDS = 60.0
ATTEMPTS = 4
_LOCAL = ("localhost", "127.0.0.1", "::1")
_RETRIED_CODES = (408, 409, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class ChatClient:
    """A chat endpoint and the name of its model.

    Attributes:
        url: of the API, such as `https://api.example.com/v1`; `/chat/completions` is added if it is missing.
        model: the name of the model at the endpoint.
        key: sent as a bearer token; None if the endpoint needs no key.
        wait: seconds before the second attempt; doubled for each further attempt.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    wait: float = 1.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{self.url} is not an http or https address", "example: http://localhost:8000/v1")
        if self.key and parts.scheme == "http" and parts.hostname not in _LOCAL:
            warn(f"the key is sent to {parts.hostname} unencrypted: use https")

    def ask(self, prompt: str, *, max_tokens: int) -> str:
        """Returns the answer to one user message, at temperature 0.

        Raises:
            InputError: the endpoint cannot be reached, refuses the request, or does not answer in OpenAI's format.
        """
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": max_tokens,
        }
        reply = self._post(json.dumps(body).encode())
        try:
            content = json.loads(reply)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(
                f"{self.endpoint} does not answer as an OpenAI chat endpoint: {_start_of(reply)}",
                "is it the address of the API, ending in /v1?",
            ) from error
        # JSON can contain half of a surrogate pair, which cannot be written to a file
        return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""

    @property
    def endpoint(self) -> str:
        """The full URL of the requests."""
        url = self.url.rstrip("/")
        return url if url.endswith("/chat/completions") else f"{url}/chat/completions"

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "tuppence"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.endpoint, data=body, headers=headers, method="POST")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
                    reply: bytes = answer.read(REPLY_LIMIT_BYTES + 1)
                if len(reply) > REPLY_LIMIT_BYTES:
                    raise InputError(
                        f"{self.endpoint} answers with more than {REPLY_LIMIT_BYTES:,} bytes",
                        "is it the right address?",
                    )
                return reply
            except urllib.error.HTTPError as error:
                with error:
                    reason = f"{error.code}: {_start_of(error.read(1000))}"
                if error.code not in _RETRIED_CODES or attempt == ATTEMPTS:
                    hint = "check key, model name and address; the same command then continues from here"
                    raise InputError(f"{self.endpoint} refuses the request with {reason}", hint) from error
            except (OSError, http.client.HTTPException) as error:
                if attempt == ATTEMPTS:
                    raise InputError(
                        f"{self.endpoint} cannot be reached: {error}",
                        "run the same command again later: the scores so far are kept",
                    ) from error
            time.sleep(self.wait * 2 ** (attempt - 1))
        raise AssertionError("unreachable")


def key_from(variable: str | None) -> str | None:
    """Returns the key in an environment variable; None if no variable was named.

    Raises:
        InputError: the variable is not set.
    """
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise InputError(f"the environment variable {variable} is not set", f"export {variable}=… and run again")
    return os.environ[variable]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirects)


def _start_of(reply: bytes) -> str:
    return " ".join(reply[:200].decode("utf-8", "replace").split())
