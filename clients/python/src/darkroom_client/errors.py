"""The client's errors. The class says what went wrong; the message is for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class WrongField:
    """A wrong field of a request; the message says what is allowed."""

    field: str
    message: str


class DarkroomError(Exception):
    """The base of all errors of the client.

    `status` is the HTTP status, 0 without a response. `code` is the API's error code, stable over releases.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        fields: tuple[WrongField, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.fields = fields
        self.retry_after = retry_after
        """Seconds after which the request may be sent again, by the server; None if it does not say."""


class WrongSetting(DarkroomError):
    """The address, the token or the proxy cannot work."""


class Unreachable(DarkroomError):
    """The request got no response."""

    retryable = True


class TimedOut(DarkroomError):
    """The job did not end in the given time; it continues."""


class InvalidRequest(DarkroomError):
    """400, 413, 422: the request is wrong; `fields` says where."""


class Unauthorized(DarkroomError):
    """401: no token was sent."""


class Forbidden(DarkroomError):
    """403: the token is not valid, or does not allow this."""


class NotFound(DarkroomError):
    """404: no such case or picture."""


class Conflict(DarkroomError):
    """409, 412: the state of the case or its job does not allow this; `code` says why."""


class RateLimited(DarkroomError):
    """429: too many requests at once, or too many cases today."""

    retryable = True


class ServerError(DarkroomError):
    """5xx: the server failed."""

    retryable = True


class BadResponse(ServerError):
    """The response cannot be read, or is not from this API."""

    retryable = False


class MissingPictures(DarkroomError):
    """Some pictures of a job could not be fetched; the others are written."""

    def __init__(self, written: Sequence[Path], missing: Mapping[str, DarkroomError]) -> None:
        why = "; ".join(f"{shot_id}: {error}" for shot_id, error in missing.items())
        super().__init__(f"no picture could be fetched of {why}")
        self.written = list(written)
        """The files that were written."""
        self.missing = dict(missing)
        """Id → the error for its picture."""


BY_STATUS: Mapping[int, type[DarkroomError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
}
