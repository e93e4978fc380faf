"""A work order, as it travels to a worker, and what the worker returns."""

from typing import Self

from pydantic import Field

from darkroom.domain.case import Case, Shot, ShotKind
from darkroom.domain.job import outcome
from darkroom.domain.run import WorkOrder
from darkroom.wire.model import FailureView, Id, Internal, Wire, micro_usd, optional_micro_usd, usd
from darkroom.worker.run_state import Ending, RunReport


class EventItem(Internal):
    """An item of a worker's event."""

    id: str
    name: str
    description: str
    digest: str
    """Name of its prompt in storage keys."""

    def to_shot(self, kind: ShotKind) -> Shot:
        """The shot this item asks for."""
        return Shot(id=self.id, kind=kind, name=self.name, description=self.description)


class WorkerEvent(Internal):
    """What a worker is invoked with: always all items, and which are done."""

    case_id: Id
    job_id: Id
    run: int
    hop: int
    claim_before: int
    deadline_at: int
    spent_usd: float = 0
    wasted_usd: float = 0
    max_cost_usd: float | None = None
    returning: bool = False
    evidence: list[EventItem]
    locations: list[EventItem]
    done: dict[str, str]
    failed: dict[str, FailureView] = Field(default={})
    webhook_url: str

    @classmethod
    def of(cls, order: WorkOrder) -> Self:
        """`order` as it travels."""
        return cls(
            case_id=order.case.case_id,
            job_id=order.job_id,
            run=order.run,
            hop=order.hop,
            claim_before=order.claim_before,
            deadline_at=order.deadline_at,
            spent_usd=usd(order.spent_micro_usd),
            wasted_usd=usd(order.wasted_micro_usd),
            max_cost_usd=None
            if order.case.max_cost_micro_usd is None
            else usd(order.case.max_cost_micro_usd),
            returning=order.returning,
            evidence=_items(order, ShotKind.EVIDENCE),
            locations=_items(order, ShotKind.LOCATION),
            done=dict(order.done),
            failed={i: FailureView.of(failure) for i, failure in order.failed.items()},
            webhook_url=order.webhook_url,
        )

    def to_order(self) -> WorkOrder:
        """The order in the domain's words."""
        return WorkOrder(
            case=Case(
                case_id=self.case_id,
                shots=(
                    *(item.to_shot(ShotKind.EVIDENCE) for item in self.evidence),
                    *(item.to_shot(ShotKind.LOCATION) for item in self.locations),
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
            failed={i: view.to_failure() for i, view in self.failed.items()},
            webhook_url=self.webhook_url,
            returning=self.returning,
        )


class WorkerResult(Wire):
    """What a worker returns; `duration` in milliseconds."""

    success: bool
    case_id: str
    status: str
    completed_images: int
    total_images: int
    duration: int

    @classmethod
    def of(cls, order: WorkOrder, report: RunReport) -> Self:
        """What `report` says of the run of `order`; `status` is the job's, or how the run broke off."""
        ended = report.ending is Ending.ENDED
        done, total = len(report.state.images), len(order.case.shots)
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
        EventItem(id=s.id, name=s.name, description=s.description, digest=order.digests[s.id])
        for s in order.case.shots
        if s.kind is kind
    ]
