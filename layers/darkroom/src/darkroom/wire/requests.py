"""What callers send: a case, a retry; and the request as it was sent."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from darkroom.domain.case import MAX_SHOTS, Case, Shot, ShotKind
from darkroom.domain.receivers import CallbackEvent, ReceiverPolicy
from darkroom.wire.model import Id, Request, Wire, optional_micro_usd, optional_usd
from darkroom.wire.receivers import MAX_LENGTH, receiver

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
MaxCost = Annotated[float, Field(ge=0.000_001, le=10_000, allow_inf_nan=False)]
CallbackUrl = Annotated[str, StringConstraints(min_length=8, max_length=MAX_LENGTH)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]

NO_RECEIVERS = ReceiverPolicy(hosts=())

Share = Literal["read", "retry"]
"""What the link to a case's page allows: to look, or also to retry what failed."""


class Item(Request):
    """A piece of evidence or a location."""

    id: Id
    name: Name
    description: Description

    def to_shot(self, kind: ShotKind) -> Shot:
        """The shot this item asks for."""
        return Shot(id=self.id, kind=kind, name=self.name, description=self.description)


class SubmitRequest(Request):
    """A case to generate images for: at least one item, at most 100, ids unique over both lists."""

    case_id: Id
    evidence: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    locations: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    max_cost_usd: MaxCost | None = None
    """What all its pictures may cost together; a request that would exceed it is not made."""
    callback_url: CallbackUrl | None = None
    """Who is told what becomes of the case, signed."""
    callback_events: list[CallbackEvent] = Field(default=[], max_length=len(CallbackEvent))
    """Of what; of everything if none are named."""

    @model_validator(mode="after")
    def _counts_and_ids(self) -> Self:
        ids = [item.id for item in (*self.evidence, *self.locations)]
        if not 1 <= len(ids) <= MAX_SHOTS:
            raise PydanticCustomError("items", f"evidence and locations together need 1 to {MAX_SHOTS} items")
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise PydanticCustomError(
                "ids",
                "ids must be unique over evidence and locations; given twice: {ids}",
                {"ids": ", ".join(twice[:5])},
            )
        return self

    def to_case(self, receivers: ReceiverPolicy = NO_RECEIVERS) -> Case:
        """The case in the domain's words; raises InvalidInput for a receiver that is not allowed."""
        return Case(
            case_id=self.case_id,
            shots=(
                *(item.to_shot(ShotKind.EVIDENCE) for item in self.evidence),
                *(item.to_shot(ShotKind.LOCATION) for item in self.locations),
            ),
            max_cost_micro_usd=optional_micro_usd(self.max_cost_usd),
            receiver=None
            if self.callback_url is None
            else receiver(self.callback_url, self.callback_events, receivers),
        )


class ShotChange(Request):
    """What a retry changes of a shot."""

    description: Description


class RetryRequest(Request):
    """A retry of the shots without a picture; `shots` gives some of them another description."""

    shots: dict[Id, ShotChange] = Field(
        default={}, max_length=MAX_SHOTS, json_schema_extra={"additionalProperties": False}
    )
    max_cost_usd: MaxCost | None = None
    """Of the job from its beginning, in place of the one it was submitted with."""

    @property
    def max_cost_micro_usd(self) -> int | None:
        """The new maximum; None keeps the old one."""
        return optional_micro_usd(self.max_cost_usd)

    def descriptions(self) -> dict[str, str]:
        """Shot id → its new description."""
        return {shot_id: change.description for shot_id, change in self.shots.items()}


RETRY_ALL = RetryRequest()
"""What no body means: every shot without a picture, as it was described."""


class RequestView(Wire):
    """What pictures were asked for, as the latest retry has changed it."""

    case_id: str
    evidence: list[Item]
    locations: list[Item]
    max_cost_usd: float | None = None

    @classmethod
    def of(cls, case: Case) -> Self:
        """`case` in the form in which it is submitted."""
        items = {
            kind: [
                Item(id=s.id, name=s.name, description=s.description) for s in case.shots if s.kind is kind
            ]
            for kind in ShotKind
        }
        return cls(
            case_id=case.case_id,
            evidence=items[ShotKind.EVIDENCE],
            locations=items[ShotKind.LOCATION],
            max_cost_usd=optional_usd(case.max_cost_micro_usd),
        )
