"""The history that a job keeps."""

from collections.abc import Callable
from dataclasses import replace

from darkroom.domain.caller_actions import cancel, replacement, retry
from darkroom.domain.history import MAX_HISTORY, Action, HistoryEntry
from darkroom.domain.job import Job, Status
from darkroom.domain.job_history import SWEEPER, WORKER, with_history
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.domain.sweeping import sweep

from testing.builders import NOW, TIMING, a_case, a_job, a_snapshot

CASE = a_case(evidence=1, locations=1)


class Past:
    """A job, and who did what to it."""

    def __init__(self) -> None:
        self.job = with_history(None, a_job(CASE), at=NOW, by="game")
        self.now = NOW

    def then(self, by: str, change: Callable[[Job, int], Job]) -> "Past":
        self.now += 1000
        self.job = with_history(self.job, change(self.job, self.now), at=self.now, by=by)
        return self

    def receive(self, kind: SnapshotKind, *done: str, waiting_until: int | None = None) -> "Past":
        made = a_snapshot(CASE, kind, self.job.sequence + 1, done=done, run=self.job.run)
        made = replace(made, waiting_until=waiting_until)
        return self.then(WORKER, lambda job, now: apply(job, made, now=now, timing=TIMING))

    def claimed(self) -> "Past":
        return self.receive(SnapshotKind.CLAIM)

    @property
    def history(self) -> list[tuple[Action | str, int, str]]:
        return [(entry.action, entry.run, entry.by) for entry in self.job.history]


def test_an_ordinary_case_has_three_history_entries_and_none_for_progress() -> None:
    past = Past().claimed()
    past.receive(SnapshotKind.PROGRESS, "evidence-1")
    past.receive(SnapshotKind.END, "evidence-1", "location-1")
    assert past.history == [("submitted", 1, "game"), ("claimed", 1, WORKER), ("ended", 1, WORKER)]
    assert [entry.at for entry in past.job.history] == [NOW, NOW + 1000, NOW + 3000]


def test_an_unchanged_job_gets_no_entry() -> None:
    past = Past().claimed()
    before = past.job
    past.receive(SnapshotKind.HEARTBEAT)
    assert past.job is before


def test_a_cancellation_and_its_workers_last_snapshot_are_two_entries() -> None:
    past = Past().claimed().then("desk", lambda job, now: cancel(job, now=now))
    past.receive(SnapshotKind.STOPPED)
    assert past.history[2:] == [("cancelled", 1, "desk"), ("stopped", 1, WORKER)]


def test_a_continuation_and_a_wait_for_the_quota_are_different_entries() -> None:
    assert Past().claimed().receive(SnapshotKind.CONTINUE).history[-1] == ("continued", 2, WORKER)
    waiting = Past().claimed().receive(SnapshotKind.CONTINUE, waiting_until=NOW + 90_000)
    assert waiting.history[-1] == ("waiting", 2, WORKER)


def test_a_sweep_a_retry_and_a_replacement_name_who_did_it() -> None:
    past = Past().claimed()
    past.then(SWEEPER, lambda job, _: sweep(job, [], now=job.due_at or 0, timing=TIMING, jitter=0.5))
    assert past.history[-1] == ("swept", 2, SWEEPER)
    past.then("game", lambda job, now: cancel(job, now=now))
    past.then("desk", lambda job, now: retry(job, CASE, {}, now=now, timing=TIMING)[0])
    assert past.history[-1] == ("retried", 3, "desk")
    past.then("game", lambda job, now: cancel(job, now=now))
    past.then(
        "game",
        lambda job, now: replacement(job, CASE, job_id="job-2", salt="another", now=now, timing=TIMING),
    )
    assert past.history == [("replaced", 4, "game")]


def test_an_end_by_the_sweeper_names_the_sweeper() -> None:
    past = Past().claimed()
    past.then(SWEEPER, lambda job, now: sweep(job, [], now=job.deadline_at, timing=TIMING, jitter=0.5))
    assert (past.history[-1], past.job.status) == (("ended", 1, SWEEPER), Status.FAILED)


def test_a_long_history_keeps_its_first_and_latest_entries() -> None:
    past = Past()
    for _ in range(100):
        past.then("desk", lambda job, now: cancel(job, now=now))
        past.then("desk", lambda job, now: retry(job, CASE, {}, now=now, timing=TIMING)[0])
    assert (len(past.job.history), past.job.history_omitted) == (MAX_HISTORY, 201 - MAX_HISTORY)
    assert past.job.history[0] == HistoryEntry(at=NOW, action=Action.SUBMITTED, run=1, by="game")
    assert past.job.history[-1].run == 101
    times = [entry.at for entry in past.job.history]
    assert times == sorted(times)


def test_a_change_adds_at_most_one_entry() -> None:
    job = a_job(CASE)
    assert replace(with_history(None, job, at=NOW, by="game"), history=()) == job
