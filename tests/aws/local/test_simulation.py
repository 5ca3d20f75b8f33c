"""Thousands of simulated lives of a training job that keeps a cap, with interruptions at random moments.

The oracles are equations: the sum of the billed intervals, the cap, the grammar of the statuses.
"""

from __future__ import annotations

import random
import re

import pytest
from tests.aws.local.jobs import job as request_of
from tests.aws.local.jobs import spot

from tuppence.aws.local.conditions import PHASES, Conditions, Interruption
from tuppence.aws.local.life import STOP
from tuppence.aws.local.record import Job
from tuppence.aws.local.simulation import Transfers, live
from tuppence.cost.limits import Limits

GRACE, TAIL, LEAD = 120.0, 30.0, 300.0
LIFE = re.compile(
    r"(Starting( Downloading( Training( Uploading)?)?)? Interrupted )*"
    r"Starting( Stopping Stopped| Stopping MaxWaitTimeExceeded| Downloading"
    r"( Stopping (Stopped|MaxWaitTimeExceeded)| Training"
    r"( Uploading (Completed|Stopped)| Failed| Stopping Uploading (Stopped|MaxRuntimeExceeded|MaxWaitTimeExceeded))))"
)
STOPPED_BETWEEN = re.compile(r".* Interrupted Stopping Stopped")


class Training:
    """A run of tuppence, in seconds: start-up, steps, saves by count, and the ending that SIGTERM or the cap asks for.

    What it has spent is what AWS has billed: earlier machines by DescribeTrainingJob, this one from its Downloading.

    Attributes:
        saved: the newest step in S3.
    """

    def __init__(self, chance, cap_seconds, steps):
        self.limits = Limits(max_steps=steps, budget_usd=cap_seconds / 3600, rate_usd_per_hour=1.0)
        self.startup, self.step = chance.uniform(2, 60), chance.uniform(0.5, 30)
        self.save, self.every = chance.uniform(0.5, 90), chance.randint(1, 50)
        self.saved, self.trained, self.exit_code = 0, 0, 0

    def start(self, job, now):
        assert job.secondary == "Training"
        earlier = sum(attempt["seconds"] for attempt in job.attempts)
        began = next(t["StartTime"] for t in reversed(job.transitions) if t["Status"] == "Downloading")
        self.spent_before, self.began, self.now = earlier, began, now
        self.guard = began + self.limits.budget_usd * 3600 - earlier - TAIL - 0.5
        self.asked_to_end, self.exit_code = False, 0
        self.ends = None
        self.script = self.run()
        self.cuts_short, self.until = False, now
        self.next_part()

    def run(self):
        """Yields the seconds of each part, and whether SIGTERM cuts it short."""
        yield self.startup, False
        step = self.saved
        while not self.asked_to_end:
            spent = self.spent_before + self.until - self.began
            reserve = 1.5 * self.step + 2 * self.save + TAIL
            restart = LEAD + self.startup + TAIL
            if self.limits.reached(step=step, elapsed=0, spent=spent / 3600, reserve=reserve, restart=restart):
                break
            yield self.step, True
            if self.asked_to_end:
                break
            step += 1
            self.trained += 1
            if step % self.every == 0:
                yield self.save, False
                self.saved = step
        yield self.save, False
        self.saved = step
        self.exit_code = 143 if self.asked_to_end else 0

    def next_part(self):
        part = next(self.script, None)
        if part is None:
            self.ends = self.until
        else:
            self.until, self.cuts_short = self.until + part[0], part[1]

    def advance(self, until):
        while self.ends is None and min(self.until, self.guard) <= until:
            if self.guard <= self.until:
                self.ends, self.exit_code = self.guard, 0
            else:
                self.now = self.until
                self.next_part()
        self.now = max(self.now, until)
        return self.ends if self.ends is not None and self.ends <= until else None

    def terminate(self, now):
        self.asked_to_end = True
        if self.cuts_short and self.ends is None:
            self.until = now

    def kill(self, now):
        self.ends = now


def random_life(seed):
    """A job, its program and what happens to it."""
    chance = random.Random(seed)
    cap = chance.uniform(LEAD + GRACE + TAIL + 300, 40_000)
    runtime, wait = int(cap - LEAD - GRACE - TAIL), int(cap - GRACE - TAIL)
    request = spot("s3://bucket", ["true"], runtime=runtime, wait=wait)
    job = Job("training", "job", "arn", request, created=0.0, modified=0.0)
    conditions = Conditions(
        interruptions=tuple(
            Interruption(chance.expovariate(1 / chance.choice([5, 100, 3000])), chance.choice(PHASES))
            if chance.random() < 0.8
            else None
            for _ in range(chance.randint(0, 8))
        ),
        capacity_seconds=tuple(chance.choice([0.0, chance.uniform(0, 3000)]) for _ in range(5)),
        runtime_restarts=chance.random() < 0.5,
        spot_discount=0.0,
    )
    requests = [(chance.uniform(0, cap), STOP)] if chance.random() < 0.15 else []
    transfers = Transfers(chance.uniform(1, LEAD), chance.uniform(0, TAIL))
    return job, conditions, Training(chance, cap, chance.randint(1, 3000)), transfers, requests, cap


def check(seed):
    """Lives one life, and checks what must be true of every one."""
    job, conditions, program, transfers, requests, cap = random_life(seed)
    live(job, conditions, program, transfers, requests)
    names = [transition["Status"] for transition in job.transitions]
    text = " ".join(names)
    assert LIFE.fullmatch(text) or STOPPED_BETWEEN.fullmatch(text), text
    for one, following in zip(job.transitions, job.transitions[1:], strict=False):
        assert one["StartTime"] <= one["EndTime"] == following["StartTime"]

    billed, began = 0.0, None
    for transition in job.transitions:
        if transition["Status"] == "Downloading":
            began = transition["StartTime"]
        elif began is not None and transition["Status"] in ("Interrupted", job.transitions[-1]["Status"]):
            billed += transition["StartTime"] - began
            began = None
    assert job.seconds == pytest.approx(billed) == pytest.approx(sum(each["seconds"] for each in job.attempts))

    assert job.seconds <= cap, f"{job.seconds:.0f} s billed, the cap is {cap:.0f} s"
    assert job.ended <= int(cap)
    if job.status == "Completed":
        assert program.saved == program.limits.max_steps or cap - job.seconds < LEAD + 5 * GRACE + 2 * program.save
    return job


def test_no_random_life_passes_its_cap():
    lives = [check(seed) for seed in range(250)]
    assert {job.transitions[-1]["Status"] for job in lives} >= {"Completed", "Stopped", "MaxWaitTimeExceeded"}
    assert max(len(job.attempts) for job in lives) >= 5


@pytest.mark.soak
def test_ten_thousand_random_lives_keep_their_caps():
    for seed in range(10_000):
        check(seed)


def test_a_simulated_job_without_interruptions_is_exact():
    job = Job("training", "job", "arn", request_of("s3://bucket", ["true"]), created=0.0, modified=0.0)
    program = Training(random.Random(1), 3600, steps=10)
    live(job, Conditions(capacity_seconds=(7.0,)), program, Transfers(60, 10))
    saves = 10 // program.every + 1
    expected = 60 + program.startup + 10 * program.step + saves * program.save + 10
    assert job.seconds == pytest.approx(expected)
    assert (job.started, job.ended) == (7.0, pytest.approx(7 + expected))
    assert program.trained == 10
