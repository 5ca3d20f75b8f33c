"""Waits for a job and tells what happens: phases, lines of the log, the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tuppence.aws.jobs import Job, Phase, describe
from tuppence.storage import AwsError, client

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
POLL_SECONDS = 5.0
LINES_AT_ONCE = 10_000

Tell = Callable[[str], object]


class LogReader:
    """Reads the log of a job piece by piece; the lines of several machines one machine after the other."""

    def __init__(self, name: str, region: str | None, group: str = LOG_GROUP) -> None:
        self._name, self._region, self._group = name, region, group
        self._tokens: dict[str, str] = {}

    def new_lines(self) -> Iterator[str]:
        """Yields the lines since the last call; none while AWS has not made the log yet."""
        logs = client("logs", region=self._region)
        for stream in self._streams():
            while True:
                token = self._tokens.get(stream)
                answer = logs.get_log_events(
                    logGroupName=self._group,
                    logStreamName=stream,
                    startFromHead=True,
                    limit=LINES_AT_ONCE,
                    **({"nextToken": token} if token else {}),
                )
                for event in answer["events"]:
                    yield str(event["message"])
                following = answer.get("nextForwardToken")
                if not following or following == token:
                    break
                self._tokens[stream] = following
                if not answer["events"]:
                    break

    def _streams(self) -> list[str]:
        try:
            pages = (
                client("logs", region=self._region)
                .get_paginator("describe_log_streams")
                .paginate(logGroupName=self._group, logStreamNamePrefix=f"{self._name}/")
            )
            return sorted(one["logStreamName"] for page in pages for one in page["logStreams"])
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return []
            raise


def follow(
    name: str,
    region: str | None,
    *,
    on_phase: Callable[[Phase], object] = lambda phase: None,
    on_line: Tell | None = None,
    poll_seconds: float = POLL_SECONDS,
    sleep: Callable[[float], object] = time.sleep,
) -> Job:
    """Waits until a job has ended; returns it.

    Args:
        on_phase: called with each new phase.
        on_line: called with each new line of the log; None reads no log.
    """
    reader, known = LogReader(name, region), 0
    show = on_line or (lambda line: None)
    while True:
        job = describe(name, region)
        lines = reader.new_lines() if on_line is not None else iter(())
        if job.ended:  # its last lines come before the news of its end
            for line in lines:
                show(line)
        for phase in job.phases[known:]:
            on_phase(phase)
        known = len(job.phases)
        for line in lines:
            show(line)
        if job.ended:
            return job
        sleep(poll_seconds)
