"""What happened to a case and when: as a worker tells it, and as callers see it."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from darkroom.domain.history import Event, EventKind, Move, RunLog, What
from darkroom.domain.job import Job, Status
from darkroom.wire.model import Internal, Wire, micro_usd, usd

_Moment = Annotated[int, Field(ge=0, le=100_000_000_000_000)]
_Text = Annotated[str, Field(max_length=200)]
_NUMBERS = {EventKind.TRY: "attempt", EventKind.BATCH: "batch", EventKind.SNAPSHOT: "sequence"}


class EventView(Internal):
    """Something a worker did. `outcome` of a try: `made`, or the code of its error."""

    kind: EventKind
    at: _Moment
    milliseconds: _Moment
    outcome: _Text
    shot_id: _Text | None = None
    attempt: int | None = None
    batch: int | None = None
    sequence: int | None = None
    hedge: bool | None = None
    cost_usd: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """`event` as it travels; what says nothing is left out."""
        return cls(
            kind=event.kind,
            at=event.at,
            milliseconds=max(0, event.milliseconds),
            outcome=event.outcome[:200],
            shot_id=event.shot_id,
            hedge=event.hedge or None,
            cost_usd=usd(event.cost_micro_usd) if event.cost_micro_usd else None,
            **{_NUMBERS[event.kind]: event.number} if event.kind in _NUMBERS else {},
        )

    def to_event(self) -> Event:
        """The event in the domain's words."""
        return Event(
            kind=self.kind,
            at=self.at,
            milliseconds=self.milliseconds,
            outcome=self.outcome,
            number=getattr(self, _NUMBERS[self.kind]) if self.kind in _NUMBERS else None,
            shot_id=self.shot_id,
            hedge=bool(self.hedge),
            cost_micro_usd=micro_usd(self.cost_usd or 0.0),
        )


class MoveView(Wire):
    """Something that happened to the job; `by` is a caller, `worker` or `sweeper`."""

    at: int
    what: What
    run: int
    by: str

    @classmethod
    def of(cls, move: Move) -> Self:
        """`move` as callers see it."""
        return cls(at=move.at, what=move.what, run=move.run, by=move.by)


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
    moves: list[MoveView]
    moves_omitted: int
    """How many between the first and the last were forgotten."""
    runs: list[RunView]
    """The latest ones that told something."""

    @classmethod
    def of(cls, job: Job, logs: Sequence[RunLog]) -> Self:
        """What `job` and its runs remember."""
        claims = {move.run: move.at for move in job.moves if move.what is What.CLAIMED}
        return cls(
            case_id=job.case_id,
            job_id=job.job_id,
            status=job.status,
            version=job.version,
            created_at=job.created_at,
            completed_at=job.completed_at,
            moves=[MoveView.of(move) for move in job.moves],
            moves_omitted=job.moves_omitted,
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
