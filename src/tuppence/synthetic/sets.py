"""The sets by name: default counts, file formats, and writing.

The columns are those that the readers of `data.records` recognise: label and text as in the SMS Spam Collection,
instruction, input and output as in Alpaca, prompt, chosen and rejected as in `trl`.
Called by `tuppence data synth` and by the quickstart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.data.output import check_suffix, write_documents, write_rows
from tuppence.storage import output_path
from tuppence.synthetic.instructions import iter_instructions
from tuppence.synthetic.preferences import iter_preferences
from tuppence.synthetic.sms import iter_sms
from tuppence.synthetic.stories import iter_stories


@dataclass(frozen=True)
class SyntheticSet:
    """One embedded set.

    Attributes:
        name: the argument of `tuppence data synth`.
        items: the name of its items, in the plural.
        count: the default number of items.
        suffixes: of the file formats that it can be written in.
        use: a command that reads such a file; `{file}` stands for the path.
    """

    name: str
    items: str
    count: int
    suffixes: tuple[str, ...]
    use: str


SETS = {
    one.name: one
    for one in (
        SyntheticSet(
            "stories",
            "stories",
            20_000,
            (".txt", ".jsonl"),
            "tuppence data prepare {file} --tokenizer TOK --out DATA",
        ),
        SyntheticSet(
            "sms",
            "messages",
            5_000,
            (".tsv", ".csv", ".jsonl"),
            "tuppence finetune classify --base RUN --data {file} --out RUN2",
        ),
        SyntheticSet(
            "instructions",
            "tasks",
            6_000,
            (".json", ".jsonl"),
            "tuppence finetune instruct --base RUN --data {file} --out RUN2",
        ),
        SyntheticSet(
            "preferences",
            "pairs",
            3_000,
            (".json", ".jsonl"),
            "tuppence align dpo --base RUN --data {file} --out RUN2",
        ),
    )
}


def find_set(name: str) -> SyntheticSet:
    """Returns the set of a name.

    Raises:
        InputError: there is none; the hint has the nearest name.
    """
    if name in SETS:
        return SETS[name]
    near = get_close_matches(name, SETS, n=1)
    raise InputError(
        f"there is no embedded set '{name}'",
        f"did you mean '{near[0]}'?" if near else f"the sets are {', '.join(SETS)}",
    )


def write_set(
    one: SyntheticSet,
    out: str | Path,
    count: int,
    seed: int,
    on_item: Callable[[], object] = lambda: None,
    plots: int | None = None,
) -> int:
    """Writes a set to one file, atomically, and returns its size in bytes.

    Args:
        one: the set.
        out: the file; its suffix gives the format.
        count: the number of items.
        seed: of the random choices.
        on_item: called after each item, for a progress bar.
        plots: the number of plots that stories are drawn from; None for all.

    Raises:
        InputError: the suffix is not one of the set's, count or seed is negative, or `plots` is given for another set
            than stories.
    """
    out = output_path(out)
    check_suffix(out, one.suffixes, one.name)
    if one.name == "stories":
        return write_documents(out, iter_stories(count, seed, plots), on_item)
    if plots is not None:
        raise InputError(f"{one.name} have no plots", "leave out --plots: it is for stories")
    return write_rows(out, _rows(one.name, count, seed), on_item)


def _rows(name: str, count: int, seed: int) -> Iterator[dict[str, str]]:
    if name == "sms":
        return ({"label": sms.label, "text": sms.text} for sms in iter_sms(count, seed))
    if name == "instructions":
        return (
            {"instruction": task.instruction, "input": task.input, "output": task.output}
            for task in iter_instructions(count, seed)
        )
    return (
        {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected} for row in iter_preferences(count, seed)
    )
