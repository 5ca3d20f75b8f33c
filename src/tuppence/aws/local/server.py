"""The HTTP side of the local SageMaker: boto3's requests on 127.0.0.1, checked as AWS checks them, to Python methods.

Who can reach the port could start processes, so every request must be signed with this server's random access key,
and must name 127.0.0.1 as its host; a web page in a browser of this machine can do neither.
"""

from __future__ import annotations

import hmac
import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from tuppence.aws.local.replies import RefusedError
from tuppence.aws.validation import as_aws_says, problems, service_model, shown
from tuppence.core.errors import InputError

LARGEST_BODY = 16 * 1024 * 1024
TARGETS = {"SageMaker": "sagemaker", "ServiceQuotasV20190624": "service-quotas", "Logs_20140328": "logs"}
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"

Operation = Callable[[dict[str, Any]], dict[str, Any] | None]


class ApiServer:
    """Serves operations in threads of its own.

    Args:
        services: for each service of `TARGETS`, an object whose methods are named as the operations.
        access_key: the key id that requests must be signed with.
        account: of the caller's identity.
        throttle_every: every n-th call is refused by ThrottlingException; 0: none.
    """

    def __init__(self, services: Mapping[str, object], access_key: str, account: str, throttle_every: int = 0) -> None:
        self._services, self._key, self._account, self._every = services, access_key, account, throttle_every
        self._calls, self._lock = 0, threading.Lock()
        outer = self

        class Handler(_Handler):
            api = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="local SageMaker", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, target: str, host: str, authorization: str, body: bytes) -> dict[str, Any]:
        """The answer to a request in AWS's JSON protocol.

        Args:
            target, host, authorization: the headers X-Amz-Target, Host and Authorization.

        Raises:
            RefusedError: of any kind.
        """
        self._admit(host, authorization)
        prefix, _, operation = target.partition(".")
        service = TARGETS.get(prefix)
        if service is None:
            raise RefusedError("UnknownOperationException", f"the local SageMaker has no service {shown(prefix)}")
        try:
            request = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise RefusedError("SerializationException", "the request is not JSON") from error
        try:
            found = problems(service, operation, request)
        except InputError as error:
            raise RefusedError("UnknownOperationException", error.message) from error
        if found:
            raise RefusedError(_VALIDATION.get(service, "ValidationException"), as_aws_says(found))
        method: Operation | None = getattr(self._services[service], operation, None)
        if method is not None:
            return method(request) or {}
        if operation.startswith("List"):
            return _nothing(service, operation)
        raise RefusedError("UnknownOperationException", f"the local SageMaker has no operation {operation}")

    def identity(self, host: str, authorization: str, body: bytes) -> str:
        """The answer of STS, in XML.

        Raises:
            RefusedError: of any kind.
        """
        self._admit(host, authorization)
        action = parse_qs(body.decode("utf-8", errors="replace")).get("Action", [""])[0]
        if action != "GetCallerIdentity":
            raise RefusedError("InvalidAction", f"the local STS has no operation {shown(action)}")
        return (
            f'<GetCallerIdentityResponse xmlns="{_STS}"><GetCallerIdentityResult>'
            f"<Arn>arn:aws:iam::{self._account}:user/rehearsal</Arn><UserId>REHEARSAL</UserId>"
            f"<Account>{self._account}</Account></GetCallerIdentityResult>"
            "<ResponseMetadata><RequestId>rehearsal</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        )

    def _admit(self, host: str, authorization: str) -> None:
        if host != self.endpoint.removeprefix("http://"):
            raise RefusedError("AccessDeniedException", "the request names another host", 403)
        given = re.search(r"Credential=([^/,\s]+)/", authorization)
        if given is None:
            raise RefusedError("MissingAuthenticationToken", "Missing Authentication Token", 403)
        if not hmac.compare_digest(given[1].encode(), self._key.encode()):
            raise RefusedError(
                "UnrecognizedClientException", "The security token included in the request is invalid.", 403
            )
        with self._lock:
            self._calls += 1
            if self._every and self._calls % self._every == 0:
                raise RefusedError("ThrottlingException", "Rate exceeded")


_VALIDATION = {"logs": "InvalidParameterException", "service-quotas": "IllegalArgumentException"}


def _nothing(service: str, operation: str) -> dict[str, Any]:
    """The answer of a List operation on things that the local SageMaker does not have, such as endpoints."""
    shape = service_model(service).operation_model(operation).output_shape
    return {name: [] for name, member in shape.members.items() if member.type_name == "list"}


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    api: ApiServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._send(413, "application/json", b"{}")
            return
        body = self.rfile.read(int(length))
        host, authorization = self.headers.get("Host", ""), self.headers.get("Authorization", "")
        target = self.headers.get("X-Amz-Target")
        try:
            if target is None:
                text = self.api.identity(host, authorization, body)
                self._send(200, "text/xml", text.encode())
            else:
                answer = self.api.answer(target, host, authorization, body)
                self._send(200, "application/x-amz-json-1.1", json.dumps(answer).encode())
        except RefusedError as refusal:
            self._refuse(refusal, xml=target is None)
        except Exception as error:  # a defect of ours: boto3 shows it, and tries again as it does with AWS's
            self._refuse(RefusedError("InternalFailure", f"{type(error).__name__}: {error}", 500), xml=target is None)
            raise

    def _refuse(self, refusal: RefusedError, *, xml: bool) -> None:
        if xml:
            text = f"<ErrorResponse><Error><Code>{refusal.code}</Code></Error></ErrorResponse>"
            self._send(refusal.status, "text/xml", text.encode())
            return
        body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
        self._send(refusal.status, "application/x-amz-json-1.1", body, refusal.code)

    def _send(self, status: int, kind: str, body: bytes, error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-errortype", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""
