"""The timeline of a case, as callers see it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field

from darkroom.domain.history import Action, HistoryEntry
from darkroom.domain.job import Job, Status
from darkroom.domain.run import EventKind, RunEvent, RunLog
from darkroom.wire.model import Wire, usd

_NUMBERS: Mapping[str, str] = {
    EventKind.ATTEMPT: "attempt",
    EventKind.BATCH: "batch",
    EventKind.SNAPSHOT: "sequence",
}

EventWord = Annotated[str, Field(json_schema_extra={"enum": [*EventKind]})]
ActionWord = Annotated[str, Field(json_schema_extra={"enum": [*Action]})]
# The enums are for the description only: words of a newer release are shown too.


class EventView(Wire):
    """An event of a run. The `outcome` of an attempt is `made`, or the code of its error."""

    kind: EventWord
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
    def of(cls, event: RunEvent) -> Self:
        """Return the view of `event`. Fields that do not apply to its kind are left out."""
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
    """A change of the job's state. `by` is a caller, `worker` or `sweeper`."""

    at: int
    action: ActionWord
    run: int
    by: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        """Return the view of `entry`."""
        return cls(at=entry.at, action=entry.action, run=entry.run, by=entry.by)


class RunView(Wire):
    """The events of one run."""

    run: int
    claimed_at: int
    events: list[EventView]
    omitted: int
    """Number of further events that are not listed."""

    @classmethod
    def of(cls, log: RunLog, claimed_at: int | None) -> Self:
        """Return the view of `log`. Without `claimed_at`, the time of its first event stands for it."""
        return cls(
            run=log.run,
            claimed_at=log.events[0].at if claimed_at is None else claimed_at,
            events=[EventView.of(event) for event in log.events],
            omitted=log.omitted,
        )


class TimelineView(Wire):
    """The history of a job and the events of its latest runs. Times are epoch milliseconds."""

    case_id: str
    job_id: str
    status: Status
    version: int
    created_at: int
    completed_at: int | None = None
    history: list[HistoryEntryView]
    history_omitted: int
    """Number of entries in the middle that were deleted."""
    runs: list[RunView]
    """Latest runs that have sent events."""

    @classmethod
    def of(cls, job: Job, logs: Sequence[RunLog]) -> Self:
        """Return the view of the history of `job` and of the events in `logs`."""
        claims = {entry.run: entry.at for entry in job.history if entry.action is Action.CLAIMED}
        return cls(
            case_id=job.case_id,
            job_id=job.job_id,
            status=job.status,
            version=job.version,
            created_at=job.created_at,
            completed_at=job.completed_at,
            history=[HistoryEntryView.of(entry) for entry in job.history],
            history_omitted=job.history_omitted,
            runs=[RunView.of(log, claims.get(log.run)) for log in logs],
        )
