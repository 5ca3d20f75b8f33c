"""A refresh against a server on this machine that answers in the shapes of AWS's price list."""

from __future__ import annotations

import datetime
import json
import sys
import threading
import time
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.cost import price_list
from tuppence.cost import refresh as module
from tuppence.cost.rates import price_of, rate_of, storage_price
from tuppence.cost.refresh import refresh
from tuppence.storage.aws_errors import AwsError

TODAY = datetime.date(2026, 11, 28)
S3_PATH = "/offers/v1.0/aws/AmazonS3/current/{}/index.json"
PATH = "/offers/v1.0/aws/AmazonSageMaker/current/{}/index.json"


def product(sku: str, kind: str, usage: str, **changes: Any) -> dict[str, Any]:
    """A product as the public file has it."""
    attributes = {
        "servicecode": "AmazonSageMaker",
        "location": "US East (N. Virginia)",
        "locationType": "AWS Region",
        "instanceType": f"{usage.partition(':')[2]}-{kind}",
        "instanceName": usage.partition(":")[2],
        "usagetype": usage,
        "operation": "RunInstance",
        "component": kind,
        "platoinstancetype": kind,
        "regionCode": "us-east-1",
        "servicename": "Amazon SageMaker",
    } | changes
    kept = {name: value for name, value in attributes.items() if value is not None}
    return {"sku": sku, "productFamily": "ML Instance", "attributes": kept}


def terms(sku: str, usd: str, unit: str = "Hrs") -> dict[str, Any]:
    dimension = {
        "rateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "description": f"${usd} per instance hour",
        "beginRange": "0",
        "endRange": "Inf",
        "unit": unit,
        "pricePerUnit": {"USD": usd},
        "appliesTo": [],
    }
    term = {"offerTermCode": "JRTCKXETXF", "sku": sku, "effectiveDate": "2026-11-01T00:00:00Z"}
    return {f"{sku}.JRTCKXETXF": {**term, "priceDimensions": {dimension["rateCode"]: dimension}, "termAttributes": {}}}


ROWS = [
    (product("A1", "Training", "USE1-Train:ml.g4dn.xlarge"), "0.7000000000"),
    (product("A2", "SpotTraining", "USE1-SpotTrain:ml.g4dn.xlarge"), "0.2000000000"),
    (product("A3", "Notebook", "USE1-Notebk:ml.g4dn.xlarge"), "0.7100000000"),
    (product("A4", "Hosting", "USE1-Host:ml.g4dn.xlarge"), "0.7200000000"),
    (product("A5", "Training-Free", "USE1-Train:ml.g4dn.xlarge"), "0.0000000000"),
    (product("A6", "Processing", "USE1-Processing:ml.g4dn.xlarge"), "0.7300000000"),
    (product("A7", "Studio-JupyterLab", "USE1-Studio:JupyterLab-ml.g4dn.xlarge"), "0.7300000000"),
    # most rows of the real list have no instance name, and a few no type
    (product("B1", "Training", "USE1-Train:ml.g9.xlarge", instanceName=None), "1.5000000000"),
    (product("B2", "Hosting", "USE1-Host:ml.g9.xlarge", instanceName=None, instanceType="NA"), "1.6000000000"),
    (product("C1", "Training", "EUC1-Train:ml.g9.xlarge", regionCode="eu-central-1"), "9.0000000000"),
]


def file_of(rows: list[tuple[dict[str, Any], str]] = ROWS) -> bytes:
    return json.dumps(
        {
            "formatVersion": "v1.0",
            "disclaimer": "This pricing list is for informational purposes only.",
            "offerCode": "AmazonSageMaker",
            "version": "20261120000000",
            "publicationDate": "2026-11-20T00:00:00Z",
            "products": {
                **{one["sku"]: one for one, _ in rows},
                "S1": {"sku": "S1", "productFamily": "ML Serverless", "attributes": {"regionCode": "us-east-1"}},
            },
            "terms": {"OnDemand": {one["sku"]: terms(one["sku"], usd) for one, usd in rows}},
        }
    ).encode()


class Server(ThreadingHTTPServer):
    """Answers each path with a status and a body; others with 404."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.slow = 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        time.sleep(self.server.slow)
        status, body = self.server.answers.get(self.path, (404, b"<Error/>"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Prints nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(sys.modules, "boto3", None)  # not installed
    with Server() as running:
        running.answers[PATH.format("us-east-1")] = (200, file_of())
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()


def test_training_endpoints_and_notebooks_are_read_and_nothing_else(server: Server, cache: Path) -> None:
    done = refresh(address=server.address, today=TODAY)
    assert {(price.use, price.item): price.usd for price in done.prices} == {
        ("training", "ml.g4dn.xlarge"): 0.70,
        ("notebook", "ml.g4dn.xlarge"): 0.71,
        ("endpoint", "ml.g4dn.xlarge"): 0.72,
        ("training", "ml.g9.xlarge"): 1.50,
        ("endpoint", "ml.g9.xlarge"): 1.60,
    }
    assert done.path == cache / "prices.json"
    assert server.asked == [PATH.format("us-east-1"), S3_PATH.format("us-east-1")]
    assert done.counts == {"SageMaker": 5}
    assert [sentence.partition(":")[0] for sentence in done.missing] == [
        "the prices of S3 are as before",
        "the prices of EC2 are as before",
    ]
    assert done.missing[1].endswith("they need boto3 and credentials (pip install 'tuppence[aws]')")


def test_storage_is_read_for_its_region(server: Server, cache: Path) -> None:
    about = {"usagetype": "TimedStorage-ByteHrs", "volumeType": "Standard", "regionCode": "us-east-1"}
    content = {
        "products": {"S": {"productFamily": "Storage", "attributes": about}},
        "terms": {"OnDemand": {"S": terms("S", "0.0300", "GB-Mo")}},
    }
    server.answers[S3_PATH.format("us-east-1")] = (200, json.dumps(content).encode())
    done = refresh(address=server.address, today=TODAY)
    assert done.counts == {"SageMaker": 5, "S3": 1}
    assert storage_price().usd == 0.03
    del server.answers[S3_PATH.format("us-east-1")]
    refresh(address=server.address, today=TODAY)
    assert storage_price().usd == 0.03  # what was not read stays


def test_a_plan_uses_the_new_prices_with_their_date(server: Server, cache: Path) -> None:
    assert rate_of("ml.g4dn.xlarge").rate_usd_per_hour == 0.7364
    refresh(address=server.address, today=TODAY)
    assert rate_of("ml.g4dn.xlarge").rate_usd_per_hour == 0.70
    price = price_of("ml.g9.xlarge", "endpoint")
    assert (price.usd, price.date, price.source) == (1.6, TODAY, "AWS's public price list, published 2026-11-20")
    assert rate_of("ml.g5.xlarge").rate_usd_per_hour == 1.408  # not in the list: the snapshot's stays


def test_a_second_region_is_added(server: Server, cache: Path) -> None:
    rows = [(product("C1", "Training", "EUC1-Train:ml.g9.xlarge", regionCode="eu-central-1"), "9.0")]
    server.answers[PATH.format("eu-central-1")] = (200, file_of(rows))
    refresh(address=server.address, today=TODAY)
    refresh("eu-central-1", address=server.address, today=TODAY)
    assert rate_of("ml.g9.xlarge", region="eu-central-1").rate_usd_per_hour == 9.0
    assert rate_of("ml.g9.xlarge").rate_usd_per_hour == 1.5
    refresh(address=server.address, today=TODAY)  # the same again replaces its own rows
    assert len(json.loads((cache / "prices.json").read_text())["prices"]) == 6


def test_a_damaged_cache_is_replaced(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "prices.json").write_text("{")
    refresh(address=server.address, today=TODAY)
    assert rate_of("ml.g4dn.xlarge").rate_usd_per_hour == 0.70


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"", "answers 500"),
        (403, b"<Error/>", "answers 403"),
        (200, b"<html>a hotel's page</html>", "not a price list"),
        (200, b"[1, 2]", "not a price list"),
        (200, b'{"products": {}, "terms": []}', "not a price list"),
        (200, b'{"products": {}, "terms": {"OnDemand": {}}}', "has no prices of training"),
        (200, b"[" * 100_000, "not a price list"),
    ],
)
def test_an_answer_that_is_no_price_list_changes_nothing(
    server: Server, cache: Path, status: int, body: bytes, message: str
) -> None:
    server.answers[PATH.format("us-east-1")] = (status, body)
    with pytest.raises(InputError, match=message) as refused:
        refresh(address=server.address, today=TODAY)
    assert refused.value.hint
    assert "\n" not in refused.value.message
    assert not cache.exists()


def test_an_answer_that_is_too_large_is_not_read_to_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_list, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="more than"):
        refresh(address=server.address, today=TODAY)


def test_an_answer_that_does_not_come_ends_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_list, "SECONDS_TO_ANSWER", 0.05)
    server.slow = 1.0
    with pytest.raises(InputError, match="cannot read"):
        refresh(address=server.address, today=TODAY)


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(InputError, match=r"cannot read .*refused") as refused:
        refresh(address="http://127.0.0.1:9", today=TODAY)
    assert refused.value.hint == "check the network; the plan works without new prices"


@pytest.mark.parametrize("region", ["", "../../x", "us-east-1/../..", "US-EAST-1", "us-east-1\n"])
def test_a_region_is_a_name_and_no_path(region: str, server: Server) -> None:
    with pytest.raises(InputError, match="no region"):
        refresh(region, address=server.address)
    assert server.asked == []


EC2_ABOUT = {"instanceType": "g5.xlarge", "regionCode": "us-east-1"} | price_list.EC2_WANTED
EC2_ROWS = [({"sku": "E1", "productFamily": "Compute Instance", "attributes": EC2_ABOUT}, "1.0500000000")]


class Paginator:
    """`get_products` of boto3: a list of JSON texts a page, filtered as AWS does."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def paginate(self, ServiceCode: str, Filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        assert {one["Type"] for one in Filters} == {"TERM_MATCH"}
        wanted = {one["Field"]: one["Value"] for one in Filters}
        self.asked.append(wanted)
        for one, usd in EC2_ROWS if ServiceCode == "AmazonEC2" else ROWS:
            about = {**one["attributes"], "productFamily": one["productFamily"]}
            if all(about.get(field) == value for field, value in wanted.items()):
                offer = {"product": one, "serviceCode": ServiceCode, "terms": {"OnDemand": terms(one["sku"], usd)}}
                yield {"FormatVersion": "aws_v1", "PriceList": [json.dumps(offer)]}


def with_boto3(monkeypatch: pytest.MonkeyPatch, paginator: Any) -> None:
    """A client of the price list API that answers with the paginator."""
    client = types.SimpleNamespace(get_paginator=lambda name: {"get_products": paginator}[name])
    monkeypatch.setattr(module, "api_client", lambda: client)


def test_the_api_is_asked_if_the_file_cannot_be_read(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers.clear()
    paginator = Paginator()
    with_boto3(monkeypatch, paginator)
    done = refresh(address=server.address, today=TODAY)
    of_sagemaker = [asked["platoinstancetype"] for asked in paginator.asked if "platoinstancetype" in asked]
    assert of_sagemaker == ["Training", "Hosting", "Notebook"]
    assert all(asked["regionCode"] == "us-east-1" for asked in paginator.asked)
    assert {(price.use, price.usd) for price in done.prices if price.item == "ml.g4dn.xlarge"} == {
        *[("training", 0.70), ("notebook", 0.71), ("endpoint", 0.72)]
    }


def test_an_error_of_the_api_is_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails:
        def paginate(self, **_: Any) -> Any:
            raise AwsError("no credentials for AWS", "run 'aws configure'")

    with_boto3(monkeypatch, Fails())
    done = refresh(address=server.address, today=TODAY)
    assert "the prices of EC2 are as before: no credentials for AWS" in done.missing
    server.answers.clear()
    with pytest.raises(InputError, match="answers 404; boto3 cannot either: no credentials for AWS") as refused:
        refresh(address=server.address, today=TODAY)
    assert "\n" not in refused.value.message


def test_ec2_is_refreshed_from_the_api(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with_boto3(monkeypatch, Paginator())
    done = refresh(address=server.address, today=TODAY)
    assert done.counts == {"SageMaker": 5, "EC2": 1}
    price = price_of("g5.xlarge")
    assert (price.usd, price.date, price.source) == (1.05, TODAY, "AWS's price list API")


def test_without_credentials_the_real_client_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(AwsError) as refused:
        price_list.ec2_prices("us-east-1", TODAY, price_list.api_client())
    assert "\n" not in refused.value.message + refused.value.hint
