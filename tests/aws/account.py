"""An account of AWS on this machine: ministack for most services, and SageMaker's resources that cost money by us.

ministack gives an access key of 12 digits an account of its own, so the tests of S3 elsewhere do not meet these. It
does not know SageMaker; moto's jobs end at once, and its endpoints are never being created. `FakeSageMaker` is our
reading of the contract: it checks every request and every answer against botocore's description of SageMaker, pages its
listings, and refuses what AWS refuses because of a resource's status.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.s3_servers import VARIABLES, Server

from tuppence.aws import buckets, stack, sweep, teardown
from tuppence.aws.validation import as_aws_says, problems, service_model
from tuppence.storage import client

REGION = "us-east-1"
PAGE = 2
"""Items of one answer, so that every listing has several."""

_ACCOUNT = "210987654321"


@dataclass
class FakeSageMaker:
    """Resources by kind and name, such as `resources["Endpoint"]["tuppence-chat"]`, each an answer of Describe…

    Attributes:
        settling: how many answers of Describe or List an `Endpoint` stays in `Creating`, and anything in `Stopping` or
            `Deleting`.
        broken: operation → error code and message with which it is answered.
        calls: the operations that were called, in order.
        throttled: operations whose next call is answered with a ThrottlingException.
    """

    account: str
    resources: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    broken: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    throttled: set[str] = field(default_factory=set)
    settling: int = 1
    disabled_regions: tuple[str, ...] = ()

    def add(self, kind: str, name: str, **facts: Any) -> None:
        """Adds a resource with the members that every description has."""
        made = {f"{kind}Name": name, f"{kind}Arn": self.arn(kind, name), "CreationTime": 1.0, "LastModifiedTime": 1.0}
        self.resources.setdefault(kind, {})[name] = made | facts

    def arn(self, kind: str, name: str) -> str:
        words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind).strip("-")
        return f"arn:aws:sagemaker:{REGION}:{self.account}:{words}/{name}"

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answers one call.

        Raises:
            Refused: as AWS would.
        """
        self.calls.append(operation)
        if operation in self.throttled:
            self.throttled.discard(operation)
            raise Refused("ThrottlingException", "Rate exceeded")
        if operation in self.broken:
            raise Refused(*self.broken[operation])
        found = problems("sagemaker", operation, request)
        if found:
            raise Refused("ValidationException", as_aws_says(found))
        for verb in ("List", "Describe", "Delete", "Stop", "Update"):
            if operation.startswith(verb):
                answer: dict[str, Any] = getattr(self, f"_{verb.lower()}")(operation.removeprefix(verb), request)
                _check_answer(operation, answer)
                return answer
        raise AssertionError(f"{operation} is not played")

    def _list(self, plural: str, request: dict[str, Any]) -> dict[str, Any]:
        kind = plural[:-1].removeprefix("Mlflow")
        key = next(one for one in _output_members(f"List{plural}") if one != "NextToken")
        status = _status_key(kind)
        rows = []
        for name, facts in sorted(self.resources.get(kind, {}).items()):
            wanted = request.get("StatusEquals") or request.get("TrackingServerStatus")
            warm = request.get("WarmPoolStatusEquals")
            if (
                wanted in (None, facts.get(status))
                and warm in (None, facts.get("WarmPoolStatus", {}).get("Status"))
                and request.get("NameContains", "") in name
            ):
                members = _output_members(f"List{plural}")[key].member.members
                rows.append({member: value for member, value in facts.items() if member in members})
        for name in list(self.resources.get(kind, {})):
            self._settle(kind, name)
        start = int(request.get("NextToken", 0))
        more = {"NextToken": str(start + PAGE)} if len(rows) > start + PAGE else {}
        return {key: rows[start : start + PAGE], **more}

    def _describe(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        members = _output_members(f"Describe{kind}")
        facts = self._found(kind, request)
        return {member: value for member, value in facts.items() if member in members}

    def _stop(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        facts, status = self._found(kind, request), _status_key(kind)
        if facts[status] not in ("InProgress", "InService"):
            raise Refused("ValidationException", f"The request was rejected because the {kind} is {facts[status]}.")
        self._become(facts, status, "Stopping")
        return {}

    def _update(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        facts = self._found(kind, request)
        assert kind == "TrainingJob"
        assert request["ResourceConfig"] == {"KeepAlivePeriodInSeconds": 0}
        facts["WarmPoolStatus"] = {"Status": "Terminated"}
        return {"TrainingJobArn": facts["TrainingJobArn"]}

    def _delete(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        operation, kind = f"Delete{kind}", kind.removeprefix("Mlflow")
        facts, status = self._found(kind, request), _status_key(kind)
        if kind == "Endpoint" and facts[status] in ("Creating", "Updating"):
            arn = facts["EndpointArn"]
            raise Refused("ValidationException", f'Cannot update in-progress endpoint "{arn}".')
        if kind == "NotebookInstance" and facts[status] not in ("Stopped", "Failed"):
            raise Refused("ValidationException", f"Status ({facts[status]}) not in ([Stopped, Failed]).")
        if kind == "Space" and any(app.get("SpaceName") == facts["SpaceName"] for app in self._living("App")):
            raise Refused("ResourceInUse", "Unable to delete a Space which has apps.")
        if status in facts:
            self._become(facts, status, "Deleting")
        else:
            del self.resources[kind][facts[f"{kind}Name"]]
        output = service_model("sagemaker").operation_model(operation).output_shape
        return {} if output is None or not output.members else {f"{kind}Arn": facts[f"{kind}Arn"]}

    def _living(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.resources.get(kind, {}).values() if one.get("Status") != "Deleted"]

    def _found(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        name = request.get(f"{kind}Name", "")
        if name not in self.resources.get(kind, {}):
            raise Refused("ValidationException", f'Could not find {kind} "{name}".')
        self._settle(kind, name)
        if name not in self.resources[kind]:
            raise Refused("ValidationException", f'Could not find {kind} "{name}".')
        return self.resources[kind][name]

    def _become(self, facts: dict[str, Any], status: str, value: str) -> None:
        facts[status], facts["_left"] = value, self.settling

    def _settle(self, kind: str, name: str) -> None:
        """Brings a resource that is in transition one step nearer to the end of it."""
        facts, status = self.resources[kind][name], _status_key(kind)
        after = {"Creating": "InService", "Stopping": "Stopped", "Deleting": None}
        if facts.get(status) not in after:
            return
        facts["_left"] = facts.get("_left", self.settling) - 1
        if facts["_left"] > 0:
            return
        value = after[facts[status]]
        if value is not None:
            facts[status] = value
        elif kind == "App":
            facts[status] = "Deleted"  # Studio lists a deleted app for a day
        else:
            del self.resources[kind][name]


class Refused(Exception):  # noqa: N818
    """An answer of AWS that is an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def _status_key(kind: str) -> str:
    return "Status" if kind in ("App", "Space") else f"{kind}Status"


def _output_members(operation: str) -> dict[str, Any]:
    members: dict[str, Any] = service_model("sagemaker").operation_model(operation).output_shape.members
    return members


def _check_answer(operation: str, answer: dict[str, Any]) -> None:
    """An answer has the members and types that botocore's description has."""
    from botocore.validate import ParamValidator

    shape = service_model("sagemaker").operation_model(operation).output_shape
    if shape is None:
        assert answer == {}
        return
    unknown = answer.keys() - shape.members.keys()
    assert not unknown, (operation, unknown)
    errors = ParamValidator().validate(answer, shape)
    missing = [line for line in errors.generate_report().splitlines() if "Missing required" not in line]
    assert not missing, (operation, missing)


@pytest.fixture(scope="session")
def account_server(ministack: Server) -> Iterator[tuple[dict[str, str], list[FakeSageMaker]]]:
    """The variables that point boto3 at the account, and a place for the SageMaker of the running test.

    They are the same for all tests of this process: each other set of variables needs new clients, which take seconds.
    """
    played = [FakeSageMaker(_ACCOUNT)]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(played))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    environment = ministack.environment | {
        "AWS_ACCESS_KEY_ID": _ACCOUNT,
        "AWS_ENDPOINT_URL": ministack.endpoint,
        "AWS_ENDPOINT_URL_SAGEMAKER": f"http://127.0.0.1:{server.server_address[1]}",
    }
    del environment["TUPPENCE_AWS_ENDPOINT"]
    yield environment, played
    server.shutdown()
    server.server_close()


@pytest.fixture
def account(
    account_server: tuple[dict[str, str], list[FakeSageMaker]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeSageMaker]:
    """An empty account, to which this process's boto3 is pointed."""
    environment, played = account_server
    for name in (*VARIABLES, "TUPPENCE_AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stack, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(teardown, "_PROOF_SECONDS", 0.02)
    played[0] = FakeSageMaker(_ACCOUNT)
    yield played[0]
    _delete_everything()


def only_kinds(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Lets the sweep look for some kinds only: a look for all of them makes forty calls."""
    kinds = tuple(kind for kind in sweep.KINDS if kind.name in names)
    assert len(kinds) == len(names)
    monkeypatch.setattr(sweep, "KINDS", kinds)


def _delete_everything() -> None:
    formation, s3, logs = (client(service, region=REGION) for service in ("cloudformation", "s3", "logs"))
    for bucket in s3.list_buckets()["Buckets"]:
        buckets.empty(bucket["Name"], REGION)
        s3.delete_bucket(Bucket=bucket["Name"])
    for one in formation.describe_stacks()["Stacks"]:
        formation.delete_stack(StackName=one["StackId"])
    for group in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])


def _handler(played: list[FakeSageMaker]) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            region = self.headers["Authorization"].split("/")[2]
            status, fake = 200, played[0]
            with lock:
                try:
                    if region in fake.disabled_regions:
                        raise Refused("UnrecognizedClientException", "The security token included is invalid.")
                    if region != REGION:
                        answer: dict[str, Any] = dict(_nothing(self.headers["X-Amz-Target"].rpartition(".")[2]))
                    else:
                        answer = fake.answer(self.headers["X-Amz-Target"].rpartition(".")[2], request)
                except Refused as refused:
                    status, answer = 400, {"__type": refused.code, "message": refused.message}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _nothing(operation: str) -> Iterator[tuple[str, Any]]:
    """The answer of an empty listing."""
    for name, shape in _output_members(operation).items():
        if shape.type_name == "list":
            yield name, []


def no_pause(_: float) -> None:
    """In place of time.sleep."""
