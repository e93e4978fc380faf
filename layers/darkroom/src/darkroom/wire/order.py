"""The event with which a worker is invoked, and the result that it returns."""

from dataclasses import replace
from typing import Self

from pydantic import Field

from darkroom.domain.case import Case, ShotKind
from darkroom.domain.job import outcome
from darkroom.domain.run import Ending, RunReport, WorkOrder
from darkroom.wire.model import (
    FailureView,
    Id,
    Internal,
    Wire,
    failure_views,
    micro_usd,
    optional_micro_usd,
    optional_usd,
    to_failures,
    usd,
)
from darkroom.wire.shots import of_kind, to_shots


class EventItem(Internal):
    """A piece of evidence or a location in a worker's event."""

    id: str
    name: str
    description: str
    kind: str | None = None
    """The kind, if it is one that only a newer release knows."""
    digest: str
    """The part of the picture's storage key that stands for the prompt."""


class WorkerEvent(Internal):
    """A work order as JSON. It always has all items; `done` and `failed` name those that are decided."""

    kind: str = "run"
    """What is to be done. This release only runs."""
    requires: list[str] = Field(default=[])
    """Names of what the worker must know. One that does not know them refuses the order before its claim."""
    case_id: Id
    job_id: Id
    run: int
    hop: int
    claim_before: int
    deadline_at: int
    spent_usd: float = 0
    wasted_usd: float = 0
    max_cost_usd: float | None = None
    memory_losses: int = 0
    returning: bool = False
    evidence: list[EventItem]
    locations: list[EventItem]
    done: dict[str, str]
    failed: dict[str, FailureView] = Field(default={})
    webhook_url: str

    @classmethod
    def of(cls, order: WorkOrder) -> Self:
        """Return `order` as JSON."""
        return cls(
            case_id=order.case.case_id,
            job_id=order.job_id,
            requires=sorted(order.requires),
            run=order.run,
            hop=order.hop,
            claim_before=order.claim_before,
            deadline_at=order.deadline_at,
            spent_usd=usd(order.spent_micro_usd),
            wasted_usd=usd(order.wasted_micro_usd),
            max_cost_usd=optional_usd(order.case.max_cost_micro_usd),
            memory_losses=order.memory_losses,
            returning=order.returning,
            evidence=_items(order, ShotKind.EVIDENCE),
            locations=_items(order, ShotKind.LOCATION),
            done=dict(order.done),
            failed=failure_views(order.failed),
            webhook_url=order.webhook_url,
        )

    def to_order(self) -> WorkOrder:
        """Return the order as a domain object."""
        return WorkOrder(
            case=Case(
                case_id=self.case_id,
                shots=tuple(
                    replace(shot, kind=item.kind or shot.kind)
                    for shot, item in zip(
                        to_shots(self.evidence, self.locations),
                        (*self.evidence, *self.locations),
                        strict=True,
                    )
                ),
                max_cost_micro_usd=optional_micro_usd(self.max_cost_usd),
            ),
            digests={item.id: item.digest for item in (*self.evidence, *self.locations)},
            job_id=self.job_id,
            run=self.run,
            hop=self.hop,
            claim_before=self.claim_before,
            deadline_at=self.deadline_at,
            spent_micro_usd=micro_usd(self.spent_usd),
            wasted_micro_usd=micro_usd(self.wasted_usd),
            done=self.done,
            failed=to_failures(self.failed),
            webhook_url=self.webhook_url,
            memory_losses=self.memory_losses,
            returning=self.returning,
            requires=frozenset({*self.requires, *([self.kind] if self.kind != "run" else [])}),
        )


class WorkerResult(Wire):
    """The result of a worker's invocation. `duration` is in milliseconds."""

    success: bool
    case_id: str
    status: str
    completed_images: int
    total_images: int
    duration: int

    @classmethod
    def of(cls, order: WorkOrder, report: RunReport) -> Self:
        """Return the result of the run of `order`. `status` is the job's, or why the run broke off."""
        ended = report.ending is Ending.ENDED
        done = len(report.images)
        total = len(order.case.shots)
        return cls(
            success=ended and done > 0,
            case_id=order.case.case_id,
            status=outcome(total=total, done=done) if ended else report.ending,
            completed_images=done,
            total_images=total,
            duration=round(report.seconds * 1000),
        )


def _items(order: WorkOrder, kind: ShotKind) -> list[EventItem]:
    return [
        EventItem(
            id=s.id,
            name=s.name,
            description=s.description,
            kind=None if isinstance(s.kind, ShotKind) else s.kind,
            digest=order.digests[s.id],
        )
        for s in of_kind(order.case.shots, kind)
    ]
