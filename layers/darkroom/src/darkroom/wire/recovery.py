"""The messages of the recovery: Lambda's records of failed invocations, and its own second looks."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from darkroom.domain.errors import FieldError, InvalidInput, shortened
from darkroom.domain.losses import LossReason
from darkroom.domain.recovery import FailedInvocation, SecondLook
from darkroom.wire.model import Id, Internal, parse

_OUT_OF_MEMORY = {"Runtime.OutOfMemory", "MemoryError"}
"""Types of the error when Lambda ended the worker, and when the worker noticed it itself."""
_TIMED_OUT = "Sandbox.Timedout"
_KILLED = ("signal: killed", "exit status 137")
"""Texts in the message of a runtime that the kernel has killed because its memory was used up."""
_TIME_OUT_TEXT = "Task timed out after"


class _Kind(Internal):
    kind: str = "record"


class SecondLookMessage(Internal):
    """A second look as JSON."""

    kind: Literal["look"] = "look"
    case_id: Id
    job_id: Id
    run: int
    claim: Id

    @classmethod
    def of(cls, look: SecondLook) -> Self:
        """Return `look` as JSON."""
        return cls(case_id=look.case_id, job_id=look.job_id, run=look.run, claim=look.claim)

    def to_look(self) -> SecondLook:
        """Return the second look as a domain object."""
        return SecondLook(case_id=self.case_id, job_id=self.job_id, run=self.run, claim=self.claim)


class _Context(Internal):
    request_id: str | None = None
    condition: str | None = None


class _Order(Internal):
    """The part of a work order that is read: its ids and its run."""

    kind: str = "run"
    case_id: Id
    job_id: Id
    run: int


class FailureRecord(Internal):
    """Lambda's record of an asynchronous invocation that failed. Fields may be missing."""

    request_context: _Context = _Context()
    request_payload: _Order
    response_payload: Any = None

    def to_failed_invocation(self) -> FailedInvocation:
        """Return the record as a domain object; raise InvalidInput when its order is of another kind."""
        order = self.request_payload
        if order.kind != "run":
            raise InvalidInput("not an order to run", [FieldError("requestPayload.kind", "must be run")])
        error = self.response_payload if isinstance(self.response_payload, dict) else {}
        return FailedInvocation(
            case_id=order.case_id,
            job_id=order.job_id,
            run=order.run,
            request_id=_word(self.request_context.request_id),
            condition=_word(self.request_context.condition),
            reason=_reason(error),
            error_type=_word(error.get("errorType")),
        )


def to_message(body: str) -> FailedInvocation | SecondLook:
    """Return the message in the body of a queue's message; raise InvalidInput for anything else."""
    text = body.encode(errors="replace")
    if parse(_Kind, text).kind == "look":
        return parse(SecondLookMessage, text).to_look()
    return parse(FailureRecord, text).to_failed_invocation()


def _word(value: object) -> str | None:
    """Return a text of the record that is logged, shortened; None for anything else."""
    return shortened(value) if isinstance(value, str) else None


def _reason(error: Mapping[str, Any]) -> LossReason:
    """Return why the invocation failed, by the error that the record has in place of a response."""
    kind = str(error.get("errorType"))
    message = str(error.get("errorMessage"))
    if kind in _OUT_OF_MEMORY or any(text in message for text in _KILLED):
        return LossReason.MEMORY
    if kind == _TIMED_OUT or _TIME_OUT_TEXT in message:
        return LossReason.TIMEOUT
    return LossReason.CRASH
