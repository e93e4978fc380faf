"""What happened to a case and when: as callers see it."""

from collections.abc import Sequence
from typing import Self

from darkroom.domain.history import Action, Event, EventKind, HistoryEntry, RunLog
from darkroom.domain.job import Job, Status
from darkroom.wire.model import Wire, usd

_NUMBERS = {EventKind.ATTEMPT: "attempt", EventKind.BATCH: "batch", EventKind.SNAPSHOT: "sequence"}


class EventView(Wire):
    """Something a worker did. `outcome` of a try: `made`, or the code of its error."""

    kind: EventKind
    at: int
    milliseconds: int
    outcome: str
    shot_id: str | None = None
    attempt: int | None = None
    batch: int | None = None
    sequence: int | None = None
    hedge: bool | None = None
    cost_usd: float | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """`event` as callers see it; what says nothing is left out."""
        return cls(
            kind=event.kind,
            at=event.at,
            milliseconds=event.milliseconds,
            outcome=event.outcome,
            shot_id=event.shot_id,
            hedge=event.hedge or None,
            cost_usd=usd(event.cost_micro_usd) if event.cost_micro_usd else None,
            **{_NUMBERS[event.kind]: event.number} if event.kind in _NUMBERS else {},
        )


class HistoryEntryView(Wire):
    """Something that happened to the job; `by` is a caller, `worker` or `sweeper`."""

    at: int
    action: Action
    run: int
    by: str

    @classmethod
    def of(cls, move: HistoryEntry) -> Self:
        """`move` as callers see it."""
        return cls(at=move.at, action=move.action, run=move.run, by=move.by)


class RunView(Wire):
    """What one run did."""

    run: int
    claimed_at: int
    events: list[EventView]
    omitted: int
    """How many more events there were than are told."""


class TimelineView(Wire):
    """What happened to a case, as far as its workers have told. Times are epoch milliseconds."""

    case_id: str
    job_id: str
    status: Status
    version: int
    created_at: int
    completed_at: int | None = None
    history: list[HistoryEntryView]
    history_omitted: int
    """How many between the first and the last were forgotten."""
    runs: list[RunView]
    """The latest ones that told something."""

    @classmethod
    def of(cls, job: Job, logs: Sequence[RunLog]) -> Self:
        """What `job` and its runs remember."""
        claims = {move.run: move.at for move in job.history if move.action is Action.CLAIMED}
        return cls(
            case_id=job.case_id,
            job_id=job.job_id,
            status=job.status,
            version=job.version,
            created_at=job.created_at,
            completed_at=job.completed_at,
            history=[HistoryEntryView.of(move) for move in job.history],
            history_omitted=job.history_omitted,
            runs=[
                RunView(
                    run=log.run,
                    claimed_at=claims.get(log.run, log.events[0].at),
                    events=[EventView.of(event) for event in log.events],
                    omitted=log.omitted,
                )
                for log in logs
            ],
        )
