"""Translates the errors of boto3 to errors for the user: one line what is wrong, one line what to do.

No message shows a secret: signatures, keys and passwords of URLs are replaced. boto3 has dozens of exceptions; those
that are not named here keep their own text.
"""

from __future__ import annotations

import os
import re
from typing import Any

from tuppence.core.errors import InputError

_SECRETS = re.compile(
    r"(?P<user>(?<=://))[^/@\s]+(?=@)"
    r"|(?<=[?&])(?P<key>X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)=[^&\s\"']+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b",
    re.IGNORECASE,
)
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY")
"""Ends of the names of environment variables whose values are secret."""
_SHORTEST_SECRET = 8

_LOGIN = "run 'aws configure' or 'aws sso login', or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REGION = "set AWS_REGION, for example to us-east-1, or give --region"
_NETWORK = "check the network, the region, and AWS_ENDPOINT_URL if it is set"
_AGAIN = "try again; if it stays so, see health.aws.amazon.com"

_HINTS = {
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"), _LOGIN),
    **dict.fromkeys(("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "SSOError"), _LOGIN),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _LOGIN),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId"), _LOGIN),
    **dict.fromkeys(("UnrecognizedClientException", "InvalidSignatureException", "InvalidToken"), _LOGIN),
    **dict.fromkeys(("NoRegionError", "InvalidRegionError", "UnknownRegionError"), _REGION),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "AllAccessDisabled"), ""),
    "ProfileNotFound": "check AWS_PROFILE and ~/.aws/config",
    "NoSuchBucket": "check the name of the bucket, or create it: tuppence aws init",
    "RequestTimeTooSkewed": "set the clock of this machine",
}
_NETWORK_ERRORS = (
    *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "SSLError"),
    *("ProxyConnectionError", "HTTPClientError", "ConnectionError", "ResponseStreamingError", "IncompleteReadError"),
    *("ResponseParserError", "ProtocolError", "IncompleteRead"),
)
_LOST_ANSWERS = (
    *("ReadTimeoutError", "ConnectionClosedError", "HTTPClientError", "RequestTimeout"),
    *("ResponseParserError", "ProtocolError", "IncompleteRead"),
)
_BUSY = ("SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")


class AwsError(InputError):
    """A call of AWS failed.

    Attributes:
        code: AWS's own code ("NoSuchBucket", "ValidationException"), or the name of boto3's exception
            ("NoCredentialsError", "EndpointConnectionError").
        status: of HTTP; 0 if there was no answer.
        operation: AWS's name of the call, such as "PutObject"; empty if there was no call.
    """

    def __init__(self, message: str, hint: str = "", code: str = "", status: int = 0, operation: str = "") -> None:
        super().__init__(message, hint)
        self.code, self.status, self.operation = code, status, operation

    def __reduce__(self) -> tuple[type[AwsError], tuple[Any, ...]]:
        return type(self), (self.message, self.hint, self.code, self.status, self.operation)

    @property
    def is_missing(self) -> bool:
        """Whether the object does not exist."""
        return self.code in ("NoSuchKey", "404", "NotFound") or (self.status == 404 and self.code != "NoSuchBucket")

    @property
    def is_conflict(self) -> bool:
        """Whether the condition of a write did not hold, or another write was in progress."""
        return self.status == 412 or self.code in ("PreconditionFailed", "ConditionalRequestConflict")

    @property
    def may_have_happened(self) -> bool:
        """Whether the call may have taken effect although no answer arrived."""
        return self.code in _LOST_ANSWERS or self.status >= 500

    @property
    def is_temporary(self) -> bool:
        """Whether the same call may succeed later: the network, a busy or failing server."""
        return self.code in (*_NETWORK_ERRORS, *_BUSY, *_LOST_ANSWERS) or self.status >= 500


def explain_aws_error(error: Exception, service: str, operation: str = "", about: str = "") -> AwsError:
    """Translates an exception of boto3 or botocore.

    Args:
        service: "s3", "sagemaker".
        operation: AWS's name of the call.
        about: what the call was about, such as a location; the message begins with it.

    Example:
        >>> print(explain_aws_error(type("NoCredentialsError", (Exception,), {})("Unable to locate credentials"), "s3"))
        s3: no AWS credentials were found
    """
    response = getattr(error, "response", None)
    response = response if isinstance(response, dict) else {}
    told = response.get("Error", {})
    code = str(told.get("Code") or type(error).__name__)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    what = f"{service} {operation}".strip()
    said = redacted(" ".join(str(told.get("Message") or error).split())).rstrip(".")
    message, hint = f"{what}: {_said(code, said)}", _HINTS.get(code, "")
    if code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "AllAccessDisabled"):
        hint = f"allow {service}:{operation or '*'} in the policy of this user or role"
    elif code in _NETWORK_ERRORS:
        hint = _NETWORK
    elif not hint and (code in _BUSY or status >= 500):
        hint = _AGAIN
    return AwsError(f"{about}: {message}" if about else message, hint, code, status, operation)


def redacted(text: str) -> str:
    """Returns a text without secrets: those of the environment, keys of AWS, signatures, and passwords in URLs.

    Example:
        >>> redacted("GET https://me:word@host/key?X-Amz-Signature=0f3a")
        'GET https://***@host/key?X-Amz-Signature=***'
    """
    for name, value in os.environ.items():
        if name.upper().endswith(_SECRET_VARIABLES) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return _SECRETS.sub(lambda found: f"{found['key']}=***" if found["key"] else "***", text)


def _said(code: str, said: str) -> str:
    if code in ("NoCredentialsError", "PartialCredentialsError"):
        return "no AWS credentials were found" if code == "NoCredentialsError" else "the AWS credentials are incomplete"
    if code == "CredentialRetrievalError":  # its text has the output of a program of the user's
        return "the AWS credentials could not be read"
    if code in ("NoRegionError", "UnknownRegionError"):
        return "no AWS region is set"
    if code == "NoSuchBucket":
        return "there is no such bucket"
    if code in ("403", "AccessDenied") and said.lower() in ("forbidden", "access denied", ""):
        return "access denied"
    return said if code.isdigit() or code in said or code.endswith("Error") else f"{said} ({code})"
