"""Add the last change of a job to its history."""

from dataclasses import replace

from darkroom.domain.history import MAX_HISTORY, Action, HistoryEntry
from darkroom.domain.job import Job, Status

WORKER = "worker"
SWEEPER = "sweeper"
RECOVERY = "recovery"
"""Authors in a job's history. Any other name is a caller's."""


def with_history(old: Job | None, new: Job, *, at: int, by: str) -> Job:
    """Return `new` with an entry for the change from `old`; progress and a new `last_error` get no entry."""
    action = _action(old, new, by)
    if action is None:
        return new
    # The run and version of a replaced job are continued; its history is not.
    history = (*new.history, HistoryEntry(at=at, action=action, run=new.run, by=by))
    if len(history) <= MAX_HISTORY:
        return replace(new, history=history)
    half = MAX_HISTORY // 2
    return replace(new, history=history[: half - 1] + history[half:], history_omitted=new.history_omitted + 1)


def _action(old: Job | None, new: Job, by: str) -> Action | None:
    if old is None:
        return Action.SUBMITTED
    if new.job_id != old.job_id:
        return Action.REPLACED
    if new.run > old.run:
        return _rescheduled(new, by)
    if new.claim != old.claim:
        return Action.CLAIMED
    if new.suspicion is not None and old.suspicion is None:
        return Action.SUSPECTED
    return _ended(old, new)


def _ended(old: Job, new: Job) -> Action | None:
    if new.status is Status.CANCELLED:
        return _cancelled(old, new)
    return Action.ENDED if old.is_open and not new.is_open else None


def _cancelled(old: Job, new: Job) -> Action | None:
    if old.is_open:
        return Action.CANCELLED
    return Action.STOPPED if old.lease_until != new.lease_until else None


def _rescheduled(new: Job, by: str) -> Action:
    if by == RECOVERY:
        return Action.RECOVERED
    if by == SWEEPER:
        return Action.SWEPT
    if by == WORKER:
        return Action.CONTINUED if new.waiting_until is None else Action.WAITING
    return Action.RETRIED
