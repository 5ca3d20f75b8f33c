"""Annotation types of flags that several verbs have, so that they have the same help everywhere."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuppence.cost.ledger import Rate

NO_RATE = Rate()


def _hourly_rate(given: Any) -> Rate:
    from tuppence.cost.rates import hourly_rate

    return hourly_rate(given)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Device = Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")]
SkipBadRows = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Skip rows that cannot be used, and report how many.")
]
TextKey = Annotated[str, typer.Option(help="Key or column of the text in .jsonl and .parquet files.")]
HourlyRate = Annotated[
    Rate,
    typer.Option(
        parser=_hourly_rate,
        metavar="USD|INSTANCE",
        show_default=False,
        help="Price of an hour of this machine: US dollars, or an instance type such as ml.g4dn.xlarge.",
    ),
]
