from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.hardware import INSTANCES
from tuppence.cost.price_table import COURSE, price_table, prices_as_dicts
from tuppence.cost.rates import prices

DAY = datetime.date(2026, 11, 28)


def test_every_price_has_a_day_an_age_and_a_source() -> None:
    table = price_table(today=DAY)
    named = {*INSTANCES, *COURSE, *(name.removeprefix("ml.") for name in INSTANCES)}
    assert set(table.column("what")) > named
    for *_, day, age, source in table.rows:
        assert (DAY - datetime.date.fromisoformat(day)).days == int(age)
        assert any(note.startswith(f"{source}: ") for note in table.notes)


def test_json_has_numbers_with_region_source_and_day() -> None:
    found = prices_as_dicts(today=DAY)
    assert len(found) == len(price_table(today=DAY))
    for row in found:
        price = prices()[row["service"], row["use"], row["item"], row["region"]]
        assert row["usd"] == price.usd
        assert isinstance(row["usd"], float)
        assert (row["unit"], row["source"], row["date"]) == (price.unit, price.source, str(price.date))
        assert row["age_days"] == (DAY - price.date).days
        assert json.loads(json.dumps(row)) == row
    assert {row["item"] for row in found} >= set(INSTANCES)
    assert {row["item"]: bool(row["refused"]) for row in found}["ml.p3.2xlarge"] is True
    assert not any(row["refused"] for row in found if "p3." not in row["item"])


def test_the_prices_are_those_of_one_region(cache: Path) -> None:
    with pytest.raises(InputError, match="no price in eu-central-1 is known, but in us-east-1") as refused:
        price_table(region="eu-central-1")
    assert refused.value.hint.startswith("tuppence plan --refresh --region eu-central-1")
    with pytest.raises(InputError, match="'mars' is no region of AWS"):
        price_table(region="mars")
    cache.mkdir(parents=True)
    row = {"service": "SageMaker", "use": "training", "item": "ml.g5.xlarge", "usd": 1.7, "unit": "hour"}
    row |= {"region": "eu-central-1", "source": "a test", "date": "2026-11-28"}
    (cache / "prices.json").write_text(json.dumps({"prices": [row]}))
    table = price_table(region="eu-central-1", today=DAY)
    assert (table.title, table.column("US dollars")) == ("Prices in eu-central-1", ["$1.7000"])
    assert "$1.7000" not in str(price_table("ml.g5.xlarge", today=DAY))


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
