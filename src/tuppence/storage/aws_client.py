"""`client(service)`: the clients of boto3 that all packages use, with time limits, bounded retries and plain errors.

Credentials come from boto3's own chain (environment, profile, role of the machine) and from nowhere else.
TUPPENCE_AWS_ENDPOINT is one address for all services, and boto3's own AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 work
too: with them, everything runs against a server on this machine.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any

from tuppence import __version__
from tuppence.core.errors import MissingExtraError
from tuppence.storage.aws_errors import AwsError, explain_aws_error

ENDPOINT_VARIABLE = "TUPPENCE_AWS_ENDPOINT"
CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
ATTEMPTS = 5
"""Of each call, the first one included, with growing pauses between them (botocore's mode "standard")."""
_READING = ("List", "Get", "Head", "Describe")
_CONNECTIONS = 16
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")

_making = threading.Lock()


def client(service: str, *, region: str | None = None) -> Any:
    """Returns a client of boto3 whose calls raise `AwsError` instead of botocore's exceptions.

    A client is shared by all callers and threads of this process. Paginators work; waiters do not, because they look
    for botocore's own exceptions.

    Args:
        service: boto3's name, such as "s3" or "sagemaker".
        region: by default that of the environment or the profile.

    Raises:
        MissingExtraError: boto3 is not installed.
        AwsError: there is no region, or no such profile. Missing credentials are found by the first call.
    """
    try:
        import boto3
    except ImportError as error:
        raise MissingExtraError("boto3", "aws", "s3:// and tuppence aws") from error
    del boto3
    with _making:  # a session of boto3 is not safe for threads, a client is
        return _client(service, region, _environment(service))


@lru_cache(maxsize=32)
def _client(service: str, region: str | None, environment: tuple[str | None, ...]) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    endpoint = environment[0] or None
    own = endpoint is not None or any(os.environ.get(name) for name in _ENDPOINT_VARIABLES)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
        user_agent_extra=f"tuppence/{__version__}",
        # the name of a bucket cannot be a subdomain of an address on this machine
        **({"s3": {"addressing_style": "path"}} if own else {}),
    )
    try:
        # boto3 reads AWS_DEFAULT_REGION; SageMaker sets AWS_REGION, as all other kits of AWS read it
        session = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
        session.events.register(f"creating-client-class.{service}", _add_plain_errors)
        return session.client(service, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:  # ValueError: an address that is none
        raise explain_aws_error(error, service) from error


def _add_plain_errors(base_classes: list[type], **_: Any) -> None:
    """Adds `_PlainErrors` to the class of a client (boto3's documentation, "Extensibility guide")."""
    base_classes.insert(0, _PlainErrors)


class _PlainErrors:
    """Every call of a client, also one of a paginator, goes through `_make_api_call`."""

    def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
        from urllib3.exceptions import HTTPError

        damaged = (ResponseParserError, HTTPError)  # answers that arrived damaged, which boto3 does not ask for again
        attempts = ATTEMPTS if operation_name.startswith(_READING) else 1
        for attempt in range(attempts):
            try:
                return super()._make_api_call(operation_name, api_params)  # type: ignore[misc]
            except AwsError:
                raise
            except (BotoCoreError, ClientError, Boto3Error, ValueError, *damaged) as error:  # ValueError: a bad URL
                if isinstance(error, damaged) and attempt + 1 < attempts:
                    continue
                service = str(self.meta.service_model.service_name)  # type: ignore[attr-defined]
                raise explain_aws_error(error, service, operation_name) from error
        raise AssertionError("not reached")


def _environment(service: str) -> tuple[str | None, ...]:
    """What a client depends on; a change gives a new client."""
    names = (
        *(ENDPOINT_VARIABLE, "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", *_ENDPOINT_VARIABLES),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"),
        f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}",
    )
    return tuple(os.environ.get(name) for name in names)
