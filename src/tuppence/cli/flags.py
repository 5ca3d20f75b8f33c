"""Annotation types of flags that several verbs have, so that they have the same help everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Device = Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")]
SkipBadRows = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Skip rows that cannot be used, and report how many.")
]
TextKey = Annotated[str, typer.Option(help="Key or column of the text in .jsonl and .parquet files.")]
HourlyRate = Annotated[float, typer.Option(help="Price of an hour of this machine, in US dollars.")]
