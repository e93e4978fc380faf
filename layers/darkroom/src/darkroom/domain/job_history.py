"""Which move lies between two versions of a job, and the job that remembers it."""

from dataclasses import replace

from darkroom.domain.history import MAX_MOVES, Move, What
from darkroom.domain.job import Job, Status

WORKER = "worker"
SWEEPER = "sweeper"


def noted(old: Job | None, new: Job, *, at: int, by: str) -> Job:
    """`new` with what made it of `old` among its moves; mere progress is none."""
    what = _what(old, new, by)
    if what is None:
        return new
    # Run and version of a replaced job go on, but its past is another's.
    moves = (*new.moves, Move(at=at, what=what, run=new.run, by=by))
    if len(moves) <= MAX_MOVES:
        return replace(new, moves=moves)
    half = MAX_MOVES // 2
    return replace(new, moves=moves[: half - 1] + moves[half:], moves_omitted=new.moves_omitted + 1)


def _what(old: Job | None, new: Job, by: str) -> What | None:
    if old is None:
        return What.SUBMITTED
    if new.job_id != old.job_id:
        return What.REPLACED
    if new.run > old.run:
        return _rearmed(new, by)
    if new.claim != old.claim:
        return What.CLAIMED
    if new.status is Status.CANCELLED:
        return _cancelled(old, new)
    return What.ENDED if old.is_open and not new.is_open else None


def _cancelled(old: Job, new: Job) -> What | None:
    if old.is_open:
        return What.CANCELLED
    return What.STOPPED if old.lease_until != new.lease_until else None


def _rearmed(new: Job, by: str) -> What:
    if by == SWEEPER:
        return What.SWEPT
    if by == WORKER:
        return What.CONTINUED if new.waiting_until is None else What.WAITING
    return What.RETRIED
