"""Every error Darkroom raises on purpose.

    DarkroomError
    ├── RequestError            the caller can mend it
    │   ├── InvalidInput            a field is wrong: which, and what is allowed
    │   ├── BodyTooLarge
    │   ├── AnswerTooLarge
    │   ├── BadSignature
    │   ├── Forbidden               the token does not allow it
    │   ├── DailyLimit              the caller has submitted enough cases for today
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
    ├── Contention              a conditional write lost too often; try again
    ├── InvokeRefused           the worker could not be started
    ├── Undeliverable           a snapshot did not reach the webhook
    └── ShotError               one picture could not be made
        ├── Throttled               retryable, perhaps not before `retry_after`
        ├── Overloaded              retryable
        ├── TimedOut                retryable
        ├── NoImage                 retryable: an answer without a picture and without a refusal
        ├── BadImage                retryable: bytes that are no picture
        ├── StorageFailed           retryable
        ├── DeadlineExceeded        retryable: no time was left to make it
        ├── RetriesExhausted        retryable: every run of the job was lost
        ├── QuotaExhausted
        ├── BudgetExhausted         another request would exceed what may be spent
        ├── Refused                 needs another description, not a retry
        ├── InvalidPrompt
        ├── Unauthorized            the key is missing, wrong or not allowed
        └── ModelRetired

`code` is what callers see. The HTTP status of each class is in `api.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class DarkroomError(Exception):
    """The root. `code` names the class to callers; the message is safe to show and to log."""

    code: ClassVar[str] = "internal"


class RequestError(DarkroomError):
    """The caller can mend it."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its path in the body (``evidence.3.id``), and what is allowed there."""

    field: str
    message: str


class InvalidInput(RequestError):
    """A field is wrong."""

    code = "invalid_input"

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class BodyTooLarge(RequestError):
    """The body is over the limit."""

    code = "body_too_large"


class AnswerTooLarge(RequestError):
    """The answer does not fit into one response; ask for another form of it."""

    code = "answer_too_large"


class BadSignature(RequestError):
    """A signature is missing, wrong or too old."""

    code = "bad_signature"


class Forbidden(RequestError):
    """The caller's token does not allow it."""

    code = "forbidden"


class DailyLimit(RequestError):
    """The caller has submitted all the cases of a day. `seconds` is when the next day begins."""

    code = "daily_limit"

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class JobNotFound(RequestError):
    """No job exists for the case."""

    code = "job_not_found"


class DeliveryNotFound(RequestError):
    """No callback was sent of this version of the job."""

    code = "delivery_not_found"


class ImageNotFound(RequestError):
    """The shot has no picture, or the link to it is not one of ours."""

    code = "image_not_found"


class RouteNotFound(RequestError):
    """No route has this path."""

    code = "route_not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not. `allowed` lists those that do."""

    code = "method_not_allowed"

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class CaseConflict(RequestError):
    """The case exists with another body."""

    code = "case_conflict"


class Superseded(RequestError):
    """The run that speaks no longer owns the job: it must stop and not try again."""

    code = "superseded"


class Cancelled(RequestError):
    """The job was cancelled: the worker stops, says what it has made, and does not try again."""

    code = "cancelled"


class JobOpen(RequestError):
    """The job must have ended first."""

    code = "job_open"


class StillStopping(RequestError):
    """The cancelled job's worker may still be running. `seconds` is when to try again."""

    code = "still_stopping"

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class NothingToRetry(RequestError):
    """Every shot has its picture."""

    code = "nothing_to_retry"


class StaleVersion(RequestError):
    """`If-Match` names another version of the job."""

    code = "stale_version"


class Contention(DarkroomError):
    """Others kept writing the same job; the same request may be sent again."""

    code = "contention"


class InvokeRefused(DarkroomError):
    """The worker could not be started; the sweeper will."""

    code = "invoke_refused"


class Undeliverable(DarkroomError):
    """A snapshot did not reach the webhook. `retryable` says whether another try can help."""

    code = "undeliverable"

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class ShotError(DarkroomError):
    """One picture could not be made.

    `retryable` says whether the same request may succeed later, `max_tries` how often one run asks
    at most, `billed` whether the provider may charge for the request that ended so, `retry_after`
    what delay in seconds the server named.
    """

    code = "failed"
    retryable: ClassVar[bool] = False
    max_tries: ClassVar[int] = 1
    billed: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(ShotError):
    """The provider's rate limit."""

    code = "throttled"
    retryable = True
    max_tries = 20


class Overloaded(ShotError):
    """The provider failed or could not be reached."""

    code = "overloaded"
    retryable = True
    max_tries = 6


class TimedOut(ShotError):
    """The picture took longer than its deadline; the request was cancelled."""

    code = "timed_out"
    retryable = True
    max_tries = 4
    billed = True


class NoImage(ShotError):
    """An answer without a picture and without a refusal."""

    code = "no_image"
    retryable = True
    max_tries = 3


class BadImage(ShotError):
    """An answer whose body or picture cannot be decoded."""

    code = "bad_image"
    retryable = True
    max_tries = 2
    billed = True


class StorageFailed(ShotError):
    """The picture was made and could not be stored."""

    code = "storage_failed"
    retryable = True


class DeadlineExceeded(ShotError):
    """No time was left to make the picture."""

    code = "deadline_exceeded"
    retryable = True


class RetriesExhausted(ShotError):
    """Every run that should have made the picture was lost."""

    code = "retries_exhausted"
    retryable = True


class QuotaExhausted(ShotError):
    """The provider's daily quota is used up or is zero."""

    code = "quota_exhausted"


class BudgetExhausted(ShotError):
    """Another request would exceed what may be spent on the job, or by the deployment today."""

    code = "budget_exhausted"


class Refused(ShotError):
    """The provider refuses the prompt or its result."""

    code = "refused"


class InvalidPrompt(ShotError):
    """The provider does not accept the request."""

    code = "invalid"


class Unauthorized(ShotError):
    """The provider does not accept the key."""

    code = "unauthorized"


class ModelRetired(ShotError):
    """The provider no longer has the model."""

    code = "model_retired"
