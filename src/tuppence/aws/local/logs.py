"""Log groups and streams, one file a stream, and the operations of CloudWatch Logs that a client of jobs needs."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tuppence.aws.local.replies import RefusedError, page

TRAINING_GROUP, PROCESSING_GROUP = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"
MOST_EVENTS = 10_000  # GetLogEvents and FilterLogEvents
MOST_BYTES = 1024 * 1024


class LogStore:
    """Log streams below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def append(self, group: str, stream: str, message: str, milliseconds: int) -> None:
        """Adds an event. An empty line is kept as one space, because AWS has no empty events."""
        path = self._path(group, stream)
        line = json.dumps({"timestamp": milliseconds, "message": message or " "}) + "\n"
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(line)

    def groups(self) -> list[str]:
        return sorted(unquote(path.name) for path in self.folder.glob("*") if path.is_dir())

    def streams(self, group: str) -> list[str]:
        """The streams of a group, sorted by name.

        Raises:
            RefusedError: no such group.
        """
        folder = self.folder / quote(group, safe="")
        if not folder.is_dir():
            raise RefusedError("ResourceNotFoundException", "The specified log group does not exist.")
        return sorted(unquote(path.stem) for path in folder.glob("*.jsonl"))

    def events(self, group: str, stream: str) -> list[dict[str, Any]]:
        """The events of a stream: timestamp in milliseconds, and message.

        Raises:
            RefusedError: no such group or stream.
        """
        self.streams(group)
        path = self._path(group, stream)
        if not path.exists():
            raise RefusedError("ResourceNotFoundException", "The specified log stream does not exist.")
        with self._lock:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def of_job(self, group: str, job: str) -> list[dict[str, Any]]:
        """The events of all streams of a job, by time; none if it has no log yet."""
        try:
            streams = [name for name in self.streams(group) if name.startswith(f"{job}/")]
        except RefusedError:
            return []
        return sorted((event for name in streams for event in self.events(group, name)), key=lambda e: e["timestamp"])

    def remove_group(self, group: str) -> None:
        """Deletes a group with its streams.

        Raises:
            RefusedError: no such group.
        """
        for stream in self.streams(group):
            self._path(group, stream).unlink()
        (self.folder / quote(group, safe="")).rmdir()

    def _path(self, group: str, stream: str) -> Path:
        return self.folder / quote(group, safe="") / f"{quote(stream, safe='')}.jsonl"


class LogOperations:
    """The operations of CloudWatch Logs, by name."""

    def __init__(self, store: LogStore, region: str, account: str) -> None:
        self.store, self._arn = store, f"arn:aws:logs:{region}:{account}:log-group"

    def DescribeLogGroups(self, request: dict[str, Any]) -> dict[str, Any]:
        names = [name for name in self.store.groups() if name.startswith(request.get("logGroupNamePrefix", ""))]
        return page([self._group(name) for name in names], request, "logGroups", limit="limit", token="nextToken")

    def DescribeLogStreams(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self._group_of(request)
        prefix = request.get("logStreamNamePrefix", "")
        rows = [self._stream(group, name) for name in self.store.streams(group) if name.startswith(prefix)]
        if request.get("orderBy") == "LastEventTime":
            rows.sort(key=lambda row: row.get("lastEventTimestamp", 0))
        if request.get("descending"):
            rows.reverse()
        return page(rows, request, "logStreams", limit="limit", token="nextToken")

    def GetLogEvents(self, request: dict[str, Any]) -> dict[str, Any]:
        events = self.store.events(self._group_of(request), request["logStreamName"])
        chosen = [number for number, event in enumerate(events) if _in_time(event, request)]
        token, limit = request.get("nextToken", ""), request.get("limit", MOST_EVENTS)
        if token and not re.fullmatch(r"[fb]/\d+", token):
            raise RefusedError("InvalidParameterException", "The specified nextToken is invalid.")
        at = int(token[2:]) if token else 0
        if token.startswith("f"):
            chosen = _first(events, [number for number in chosen if number >= at], limit)
        elif token.startswith("b"):
            chosen = [number for number in chosen if number < at][-limit:]
        elif request.get("startFromHead"):
            chosen = _first(events, chosen, limit)
        else:
            chosen = chosen[-limit:]
        start = chosen[0] if chosen else (at if token else len(events))
        end = chosen[-1] + 1 if chosen else (at if token else len(events))
        rows = [{**events[number], "ingestionTime": events[number]["timestamp"]} for number in chosen]
        return {"events": rows, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{start}"}

    def FilterLogEvents(self, request: dict[str, Any]) -> dict[str, Any]:
        group, prefix = self._group_of(request), request.get("logStreamNamePrefix", "")
        names = request.get("logStreamNames") or [n for n in self.store.streams(group) if n.startswith(prefix)]
        terms = _terms(request.get("filterPattern", ""))
        rows = [
            {**event, "logStreamName": name, "ingestionTime": event["timestamp"], "eventId": f"{name}/{number}"}
            for name in names
            for number, event in enumerate(self.store.events(group, name))
            if _in_time(event, request) and all(term in event["message"] for term in terms)
        ]
        rows.sort(key=lambda row: row["timestamp"])
        return page(rows, request, "events", limit="limit", token="nextToken", most=MOST_EVENTS)

    def DeleteLogGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        self.store.remove_group(request["logGroupName"])
        return {}

    def ListTagsForResource(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"tags": {}}

    def _group_of(self, request: dict[str, Any]) -> str:
        if "logGroupName" in request:
            return str(request["logGroupName"])
        return str(request.get("logGroupIdentifier", "")).removeprefix(f"{self._arn}:").removesuffix(":*")

    def _group(self, name: str) -> dict[str, Any]:
        events = [self.store.events(name, stream) for stream in self.store.streams(name)]
        size = sum(len(event["message"].encode()) for stream in events for event in stream)
        created = min((stream[0]["timestamp"] for stream in events if stream), default=0)
        return {"logGroupName": name, "arn": f"{self._arn}:{name}:*", "creationTime": created, "storedBytes": size}

    def _stream(self, group: str, name: str) -> dict[str, Any]:
        events = self.store.events(group, name)
        row: dict[str, Any] = {"logStreamName": name, "arn": f"{self._arn}:{group}:log-stream:{name}"}
        if events:
            row["creationTime"] = row["firstEventTimestamp"] = events[0]["timestamp"]
            row["lastEventTimestamp"] = row["lastIngestionTime"] = events[-1]["timestamp"]
        return row


def _in_time(event: dict[str, Any], request: dict[str, Any]) -> bool:
    return bool(request.get("startTime", 0) <= event["timestamp"] < request.get("endTime", float("inf")))


def _first(events: list[dict[str, Any]], chosen: list[int], limit: int) -> list[int]:
    """The first events up to the limit of an answer, in number and bytes."""
    size, count = 0, 0
    for number in chosen[:limit]:
        size += len(events[number]["message"].encode()) + 26
        if count and size > MOST_BYTES:
            break
        count += 1
    return chosen[:count]


def _terms(pattern: str) -> list[str]:
    """The terms of a filter pattern.

    Raises:
        RefusedError: the pattern is more than terms and quoted phrases.
    """
    if re.search(r"[{}\[\]?%]|(^|\s)-", pattern):
        raise RefusedError(
            "InvalidParameterException", "The local CloudWatch Logs filters by terms and quoted phrases only"
        )
    return [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', pattern)]
