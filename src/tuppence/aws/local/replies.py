"""Refusals in AWS's form, and pages of lists."""

from __future__ import annotations

import base64
import binascii
from typing import Any


class RefusedError(Exception):
    """AWS refuses a call.

    Args:
        code: as boto3 shows it, for example `ValidationException`.
        message: of the error.
        status: of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def page(
    rows: list[dict[str, Any]],
    request: dict[str, Any],
    name: str,
    *,
    limit: str = "MaxResults",
    token: str = "NextToken",
    default: int = 0,
    most: int = 50,
) -> dict[str, Any]:
    """A page of a list: the rows under `name`, and a token for the next page if there is one.

    Args:
        limit, token: names of the request's members for the page's length and its start.
        default: length of a page if the request does not say it; 0: `most`.

    Raises:
        RefusedError: the token is none of ours.
    """
    length = min(int(request.get(limit) or default or most), most)
    start = _position(request[token]) if request.get(token) else 0
    answer: dict[str, Any] = {name: rows[start : start + length]}
    if start + length < len(rows):
        answer[token] = base64.urlsafe_b64encode(f"from:{start + length}".encode()).decode()
    return answer


def _position(token: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "from" and number.isdigit():
            return int(number)
    except (binascii.Error, UnicodeError):
        pass
    raise RefusedError("ValidationException", "NextToken is invalid")
