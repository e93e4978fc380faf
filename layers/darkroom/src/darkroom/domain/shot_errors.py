"""Errors of one shot: the reasons for which its picture could not be made.

    ShotError
    ├── Throttled               retryable, perhaps not before `retry_after`
    ├── Overloaded              retryable
    ├── TimedOut                retryable
    ├── NoImage                 retryable: a response without a picture and without a refusal
    ├── BadImage                retryable: bytes that are no picture
    ├── StorageFailed           retryable
    ├── DeadlineExceeded        retryable: no time was left to make it
    ├── TooLarge                no worker has the memory that its picture needs
    ├── RetriesExhausted        retryable: too many runs of the job were lost
    ├── QuotaExhausted          quota, credits or spending cap of the provider's account
    ├── BudgetExhausted         another request would exceed what may be spent
    ├── Refused                 needs another description, not a retry
    ├── InvalidPrompt
    ├── Unauthorized            the key is missing, wrong or not allowed
    ├── AccountUnusable         billing, suspension, region or access to the model
    ├── Misconfigured           a setting that the model does not take
    └── ModelRetired

Callers see `code` and the message with a shot that has no picture.
"""

from typing import ClassVar

from darkroom.domain.errors import DarkroomError


class ShotError(DarkroomError):
    """One picture could not be made.

    `retryable`: True if the same request may succeed later. `max_tries`: number of failed requests, of any
    kind, after which a shot fails with this error. `retry_after`: delay in seconds that the server asked
    for. `billed`: True if the provider may charge for the failed request; the class has the usual value,
    and the raiser may set another.
    """

    code = "failed"
    advice = "Retry the job. If the code returns, tell the operator: the reason is in the worker's log."
    retryable: ClassVar[bool] = False
    max_tries: ClassVar[int] = 1
    billed: bool = False

    def __init__(self, message: str, *, retry_after: float | None = None, billed: bool | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        if billed is not None:
            self.billed = billed


class Throttled(ShotError):
    """The provider's rate limit."""

    code = "throttled"
    advice = "Retry the job later. The operator sets `RequestsPerMinute` to the provider's limit."
    retryable = True
    max_tries = 20


class Overloaded(ShotError):
    """The provider failed or could not be reached."""

    code = "overloaded"
    advice = "Retry the job later."
    retryable = True
    max_tries = 6


class TimedOut(ShotError):
    """The picture took longer than its deadline; the request was cancelled."""

    code = "timed_out"
    advice = "Retry the job later."
    retryable = True
    max_tries = 4
    billed = True


class NoImage(ShotError):
    """The response holds neither a picture nor a refusal."""

    code = "no_image"
    advice = "Retry the job; if the code returns, change the description."
    retryable = True
    max_tries = 3
    billed = True


class BadImage(ShotError):
    """The body of the response, or the picture in it, cannot be read."""

    code = "bad_image"
    advice = "Retry the job."
    retryable = True
    max_tries = 2
    billed = True


class StorageFailed(ShotError):
    """The store failed: a picture could not be stored, or the quota could not be read or written."""

    code = "storage_failed"
    advice = "Retry the job later."
    retryable = True


class DeadlineExceeded(ShotError):
    """No time was left to make the picture."""

    code = "deadline_exceeded"
    advice = "Retry the job."
    retryable = True


class TooLarge(ShotError):
    """No worker has the memory that the picture needs."""

    code = "too_large"
    advice = "Tell the operator: workers need more memory, or another model. Then retry the job."
    retryable = True
    billed = True


class RetriesExhausted(ShotError):
    """Too many runs of the job were lost, or ended without finishing a shot."""

    code = "retries_exhausted"
    advice = (
        "Retry the job. If the code returns, tell the operator: the workers' log says why they were lost."
    )
    retryable = True


class QuotaExhausted(ShotError):
    """The quota, the credits or the spending cap of the provider's account is used up."""

    code = "quota_exhausted"
    advice = "Retry the job when the quota is free again; if the message names credits, tell the operator."


class BudgetExhausted(ShotError):
    """Another request would exceed what may be spent on the job, or by the deployment today."""

    code = "budget_exhausted"
    advice = (
        "Retry the job with a higher `maxCostUsd`, or on the next day (UTC) if the daily budget is spent."
    )


class Refused(ShotError):
    """The provider refuses the prompt or its result."""

    code = "refused"
    advice = "Retry the job with another description of this shot."


class InvalidPrompt(ShotError):
    """The provider does not accept the request."""

    code = "invalid"
    advice = "Retry the job with another description of this shot. If the code returns, tell the operator."


class Unauthorized(ShotError):
    """The provider does not accept the key."""

    code = "unauthorized"
    advice = "Tell the operator: the provider's key must be set or replaced. Then retry the job."


class AccountUnusable(ShotError):
    """The provider's account may not make pictures: billing, suspension, region or access to the model."""

    code = "account_unusable"
    advice = "Tell the operator: the message says what the provider's account lacks. Then retry the job."


class Misconfigured(ShotError):
    """The provider does not accept a setting of this deployment."""

    code = "misconfigured"
    advice = (
        "Tell the operator: the message says which setting the provider does not take. Then retry the job."
    )


class ModelRetired(ShotError):
    """The provider no longer has the model."""

    code = "model_retired"
    advice = "Tell the operator: another model must be configured. Then retry the job."
