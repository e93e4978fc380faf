"""Requests of callers: to submit a case and to retry a job; and the view of a submitted request."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from darkroom.domain.case import MAX_SHOTS, Case, ShotKind
from darkroom.domain.receivers import CallbackEvent, Receiver, ReceiverPolicy
from darkroom.wire.model import Id, Request, Wire, optional_micro_usd, optional_usd
from darkroom.wire.receivers import MAX_LENGTH, receiver
from darkroom.wire.shots import of_kind, to_shots

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
MaxCost = Annotated[float, Field(ge=0.000_001, le=10_000, allow_inf_nan=False)]
CallbackUrl = Annotated[str, StringConstraints(min_length=8, max_length=MAX_LENGTH)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]

NO_RECEIVERS = ReceiverPolicy(hosts=())

Share = Literal["read", "retry"]
"""The rights of a share link: to see the case, or also to retry failed pictures."""


class Item(Request):
    """A piece of evidence or a location."""

    id: Id
    name: Name
    description: Description


class SubmitRequest(Request):
    """A case to generate images for: 1 to 100 items, with ids that are unique over both lists."""

    case_id: Id
    evidence: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    locations: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    max_cost_usd: MaxCost | None = None
    """Maximum cost of all pictures together, in US dollars. A request that would exceed it is not sent."""
    callback_url: CallbackUrl | None = None
    """URL of the receiver, to which signed callbacks are sent."""
    callback_events: list[CallbackEvent] = Field(default=[], max_length=len(CallbackEvent))
    """Event types to send; empty means all."""

    @model_validator(mode="after")
    def _counts_and_ids(self) -> Self:
        ids = [item.id for item in (*self.evidence, *self.locations)]
        if not 1 <= len(ids) <= MAX_SHOTS:
            raise PydanticCustomError("items", f"evidence and locations together need 1 to {MAX_SHOTS} items")
        duplicates = sorted({i for i in ids if ids.count(i) > 1})
        if duplicates:
            raise PydanticCustomError(
                "ids",
                "ids must be unique over evidence and locations; duplicates: {ids}",
                {"ids": ", ".join(duplicates[:5])},
            )
        return self

    def to_case(self, receivers: ReceiverPolicy = NO_RECEIVERS) -> Case:
        """Return the case as a domain object. Raise InvalidInput for a receiver that is not allowed."""
        return Case(
            case_id=self.case_id,
            shots=to_shots(self.evidence, self.locations),
            max_cost_micro_usd=optional_micro_usd(self.max_cost_usd),
            receiver=self._receiver(receivers),
        )

    def _receiver(self, policy: ReceiverPolicy) -> Receiver | None:
        if self.callback_url is None:
            return None
        return receiver(self.callback_url, self.callback_events, policy)


class ShotChange(Request):
    """The change of one shot in a retry."""

    description: Description


class RetryRequest(Request):
    """A retry of the shots without a picture. `shots` gives some of them another description."""

    shots: dict[Id, ShotChange] = Field(
        default={}, max_length=MAX_SHOTS, json_schema_extra={"additionalProperties": False}
    )
    max_cost_usd: MaxCost | None = None
    """New maximum cost of the whole job, in US dollars. It includes what the job has cost so far."""

    @property
    def max_cost_micro_usd(self) -> int | None:
        """The new maximum cost in millionths of a US dollar; None keeps the old one."""
        return optional_micro_usd(self.max_cost_usd)

    def descriptions(self) -> dict[str, str]:
        """Return the new descriptions by shot id."""
        return {shot_id: change.description for shot_id, change in self.shots.items()}


RETRY_ALL = RetryRequest()
"""The retry of a request without a body: all shots without a picture, descriptions unchanged."""


class RequestView(Wire):
    """The submitted items, with the changes of the latest retry."""

    case_id: str
    evidence: list[Item]
    locations: list[Item]
    max_cost_usd: float | None = None

    @classmethod
    def of(cls, case: Case) -> Self:
        """Return the view of `case`."""
        return cls(
            case_id=case.case_id,
            evidence=_items(case, ShotKind.EVIDENCE),
            locations=_items(case, ShotKind.LOCATION),
            max_cost_usd=optional_usd(case.max_cost_micro_usd),
        )


def _items(case: Case, kind: ShotKind) -> list[Item]:
    shots = of_kind(case.shots, kind)
    return [Item(id=shot.id, name=shot.name, description=shot.description) for shot in shots]
