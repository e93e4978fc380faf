"""What can go wrong, by class; the message is for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class WrongField:
    """A field of a request, and what is allowed there."""

    field: str
    message: str


class DarkroomError(Exception):
    """`status` is the HTTP status, 0 when there was no answer; `code` is the API's, stable over releases."""

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
        """When the server wants to be asked again, in seconds."""


class Unreachable(DarkroomError):
    """No answer came."""

    retryable = True


class TimedOut(DarkroomError):
    """The job did not end in the time it was given; it goes on."""


class InvalidRequest(DarkroomError):
    """400, 413, 422: `fields` says where and what is allowed."""


class Unauthorized(DarkroomError):
    """401: no token was sent."""


class Forbidden(DarkroomError):
    """403: nobody has this token, or it does not allow this."""


class NotFound(DarkroomError):
    """404: no such case, or picture."""


class Conflict(DarkroomError):
    """409, 412: the case or its job is not in a state for this; `code` says why."""


class RateLimited(DarkroomError):
    """429: too much at once, or today."""

    retryable = True


class ServerError(DarkroomError):
    """5xx."""

    retryable = True


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
