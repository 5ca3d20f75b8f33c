from __future__ import annotations

import datetime

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.price_table import COURSE, price_table

DAY = datetime.date(2026, 11, 28)


def test_every_price_has_a_day_an_age_and_a_source() -> None:
    table = price_table(today=DAY)
    assert {row[0] for row in table.rows} > set(COURSE)
    for *_, day, age, source in table.rows:
        assert (DAY - datetime.date.fromisoformat(day)).days == int(age)
        assert any(note.startswith(f"{source}: ") for note in table.notes)


def test_what_the_course_names_is_there() -> None:
    rows = {(row[0], row[1]): row[2] for row in price_table(today=DAY).rows}
    assert rows["g4dn.xlarge", "on demand"] == "$0.5260"
    assert rows["ml.g4dn.xlarge", "training"] == "$0.7364"
    assert rows["ml.t3.medium", "notebook"] == "$0.0500"
    assert rows["S3: standard", "storage"] == "$0.0230"
    assert rows["SageMaker: memory", "serverless"] == "$0.00002"


def test_a_machine_that_cannot_run_our_image_is_marked() -> None:
    assert any(note.startswith("p3.2xlarge cannot run our image") for note in price_table("ml.p3.2xlarge").notes)
    assert not any("cannot run" in note for note in price_table("ml.g5.xlarge").notes)


def test_it_fits_a_page_and_shows_itself() -> None:
    table = price_table(today=DAY)
    assert max(map(len, str(table).splitlines())) <= 122
    assert table._repr_html_().count("<tr>") == len(table.rows) + 1


@pytest.mark.parametrize("item", ["ml.g4nd.xlarge", "standard"])
def test_an_unknown_type_is_refused(item: str) -> None:
    with pytest.raises(InputError):
        price_table(item)
