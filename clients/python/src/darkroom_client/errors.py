"""What can go wrong, by class; the message is for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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


class WrongSetting(DarkroomError):
    """The address, the token or the proxy cannot work, however often it is tried."""


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


class BadAnswer(ServerError):
    """An answer came that is none of this API's, or that cannot be read."""

    retryable = False


class MissingPictures(DarkroomError):
    """Some pictures of a job could not be fetched; the others are written."""

    def __init__(self, written: Sequence[Path], missing: Mapping[str, DarkroomError]) -> None:
        why = "; ".join(f"{shot_id}: {error}" for shot_id, error in missing.items())
        super().__init__(f"no picture could be fetched of {why}")
        self.written = list(written)
        """The files that were written."""
        self.missing = dict(missing)
        """Id → why its picture could not be fetched."""


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
