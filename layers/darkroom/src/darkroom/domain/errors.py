"""Every error that Darkroom raises on purpose.

    DarkroomError
    ├── RequestError            the caller can mend it
    │   ├── InvalidInput            a field is wrong: which, and what is allowed
    │   ├── BodyTooLarge
    │   ├── CaseTooLarge            no item of the table could hold the case
    │   ├── BadSignature
    │   ├── Forbidden               the token does not allow it
    │   ├── DailyLimitReached       the caller has submitted and retried enough cases for today
    │   ├── JobNotFound
    │   ├── DeliveryNotFound
    │   ├── ImageNotFound
    │   ├── RouteNotFound
    │   ├── MethodNotAllowed
    │   ├── CaseConflict            the case was submitted with another body
    │   ├── JobOpen                 the job must have ended first
    │   ├── StillStopping           its worker has not stopped yet
    │   ├── NothingToRetry          every shot has its picture
    │   ├── StaleVersion            the job is not the one the caller saw
    │   ├── Superseded              a run that no longer owns the job
    │   └── Cancelled               the job was cancelled: its worker must stop
    ├── Contention              a conditional write lost too often; send again
    │   └── Busy                    the table has no capacity for the request now
    ├── Unreadable              a stored record that this release cannot read
    ├── InvokeRefused           the worker could not be started
    ├── Undeliverable           a snapshot did not reach the webhook
    └── ShotError               one picture could not be made: see `shot_errors.py`

Callers see `code`. The HTTP status of each class is in `api/responses.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

MAX_FIELDS = 20
"""Number of wrong fields that one error names."""

MAX_QUOTED = 200
"""Number of characters of a field's path or message that an error quotes."""


def shortened(text: str, limit: int = MAX_QUOTED) -> str:
    """Return `text`, cut to at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class DarkroomError(Exception):
    """An unexpected error, and the root of all others.

    `code` names the class to callers. `advice` says what to do about it; the API reference shows both.
    The message is safe to show and to log.
    """

    code: ClassVar[str] = "internal"
    advice: ClassVar[str] = "Send the request again later. The reason is in the deployment's log."


class RequestError(DarkroomError):
    """The caller can mend it."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its path in the body, such as `evidence.3.id`, and what is allowed there."""

    field: str
    message: str


class InvalidInput(RequestError):
    """A field is wrong. At most `MAX_FIELDS` are named, and a bounded part of each is quoted."""

    code = "invalid_input"
    advice = "Correct the fields that `errors` names."

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(shortened(message, MAX_QUOTED * MAX_FIELDS))
        self.errors = tuple(
            FieldError(shortened(each.field), shortened(each.message)) for each in errors[:MAX_FIELDS]
        )


class BodyTooLarge(RequestError):
    """The body is over the limit."""

    code = "body_too_large"
    advice = "Send less: the limit is in `detail`."


class CaseTooLarge(RequestError):
    """The case would have more bytes than can be stored. Nothing was written."""

    code = "case_too_large"
    advice = "Send shorter descriptions: the limit is in `detail`. It counts bytes of UTF-8, not characters."


class BadSignature(RequestError):
    """A signature is missing, wrong or too old."""

    code = "bad_signature"
    advice = (
        "Sign the body with the deployment's webhook secret and the current time. Only workers send here."
    )


class Forbidden(RequestError):
    """The caller's token does not allow it."""

    code = "forbidden"
    advice = (
        "Use a token with the scope that `detail` names. A share link is for one case only. It can retry"
        " three times until the submitter has retried, and it cannot retry a cancelled job."
    )


class DailyLimitReached(RequestError):
    """The caller's daily limit is reached. The next day begins in `seconds`."""

    code = "daily_limit"
    advice = "Submit or retry again after `Retry-After`, or ask the operator for a higher `CasesPerDay`."

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class JobNotFound(RequestError):
    """No job exists for the case."""

    code = "job_not_found"
    advice = "Check the `caseId`, or submit the case. Jobs are deleted `KeepDays` after they have ended."


class DeliveryNotFound(RequestError):
    """No callback was sent of this version of the job."""

    code = "delivery_not_found"
    advice = "List the callbacks of the case; only those can be replayed."


class ImageNotFound(RequestError):
    """The shot has no picture, or the link to it is not one of ours."""

    code = "image_not_found"
    advice = "Fetch the job again and follow the link it has now."

    def __init__(self) -> None:
        super().__init__("there is no such picture, or the link to it is not valid")


class RouteNotFound(RequestError):
    """No route has this path."""

    code = "route_not_found"
    advice = "Check the path against this reference."


class MethodNotAllowed(RequestError):
    """The path exists, but not with this method. `allowed` lists the methods it has."""

    code = "method_not_allowed"
    advice = "Use a method that the header `Allow` names."

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class CaseConflict(RequestError):
    """The case exists with another body."""

    code = "case_conflict"
    advice = "Use another `caseId`, or `replace=true` once the job has ended."


class Superseded(RequestError):
    """The sender of the snapshot no longer owns the job. It must stop and not send again."""

    code = "superseded"
    advice = "Stop the run: another run owns the job. Only workers receive it."


class Cancelled(RequestError):
    """The job was cancelled. The worker stops and sends its last snapshot."""

    code = "cancelled"
    advice = "Stop the run and send its last snapshot. Only workers receive it."


class JobOpen(RequestError):
    """The job must have ended first."""

    code = "job_open"
    advice = "Wait until the job has ended, or cancel it."


class StillStopping(RequestError):
    """The cancelled job's worker may still be running. Send the request again in `seconds`."""

    code = "still_stopping"
    advice = "Send the request again after `Retry-After`."

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class NothingToRetry(RequestError):
    """Every shot has its picture."""

    code = "nothing_to_retry"
    advice = "Nothing: the job has all its pictures."


class StaleVersion(RequestError):
    """`If-Match` names another version of the job."""

    code = "stale_version"
    advice = "Fetch the job, decide again, and send its `ETag` as `If-Match`."


class Contention(DarkroomError):
    """Other writers kept changing the same item. The same request may be sent again."""

    code = "contention"
    advice = "Send the same request again after `Retry-After`."


class Busy(Contention):
    """The table has no capacity for the request now."""

    code = "busy"
    advice = "Send the same request again after `Retry-After`."


class Unreadable(DarkroomError):
    """A stored record cannot be read, perhaps because a newer release has written it."""

    code = "unreadable"
    advice = "Tell the operator: a record in the table is broken, or of a newer release."


class InvokeRefused(DarkroomError):
    """The worker could not be started. The sweeper starts it later."""

    code = "invoke_refused"
    advice = "Nothing: the sweeper starts the worker within a minute or two."


class Undeliverable(DarkroomError):
    """A snapshot did not reach the webhook. `retryable`: True if another attempt can help."""

    code = "undeliverable"
    advice = "Nothing: the next snapshot holds everything again."

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


def tree(kind: type[DarkroomError]) -> list[type[DarkroomError]]:
    """Return `kind` and every class of the domain derived from it, in the order of their files."""
    derived = [each for each in kind.__subclasses__() if each.__module__.startswith("darkroom.domain.")]
    return [kind, *(one for each in derived for one in tree(each))]
