"""Any order of snapshots, duplicates, sweeps, retries and cancels, found by Hypothesis."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from darkroom.domain.caller_actions import cancel, replacement, retry
from darkroom.domain.case import Case
from darkroom.domain.errors import RequestError
from darkroom.domain.job import Job, Status
from darkroom.domain.snapshot import Snapshot, SnapshotKind, apply
from darkroom.domain.sweeping import is_due, sweep
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from testing.builders import NOW, SALT, TIMING, a_case, a_job, a_snapshot, keys_of
from tests.simulation.invariants import check_write

CASE = a_case(evidence=3, locations=1)
IDS = [shot.id for shot in CASE.shots]
CLAIMS = ["claim-1", "claim-2"]
shots = st.sets(st.sampled_from(IDS))


class JobMachine(RuleBasedStateMachine):
    """A job, with everything that may change it, in any order."""

    @initialize()
    def submit(self) -> None:
        self.case: Case = CASE
        self.job: Job = a_job(CASE)
        self.now = NOW
        self.sent: list[Snapshot] = []
        self.jobs = 1

    def _change(self, decide: Callable[[], Job]) -> None:
        old = self.job
        try:
            new = decide()
        except RequestError:
            return
        if new is not old:
            check_write(old, new)
            self.job = new

    def _apply(self, snapshot: Snapshot) -> None:
        self.sent.append(snapshot)
        self._change(lambda: apply(self.job, snapshot, now=self.now, timing=TIMING))

    @rule(
        kind=st.sampled_from(SnapshotKind),
        done=shots,
        failed=shots,
        back=st.integers(0, 2),
        claim=st.sampled_from(CLAIMS),
        sequence=st.integers(1, 9),
    )
    def a_worker_sends_a_snapshot(self, **fields: Any) -> None:
        """Apply a valid snapshot of a worker of this run or of an earlier one."""
        done = tuple(fields["done"])
        failed = tuple(set(fields["failed"]) - fields["done"])
        if fields["kind"] is SnapshotKind.END:
            failed = tuple(set(IDS) - fields["done"])
        snapshot = a_snapshot(
            self.case,
            fields["kind"],
            fields["sequence"],
            done=done,
            failed=failed,
            run=max(1, self.job.run - fields["back"]),
            claim=fields["claim"],
            job_id=self.job.job_id,
        )
        self._apply(snapshot)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def a_snapshot_comes_again(self, data: st.DataObject) -> None:
        self._apply(data.draw(st.sampled_from(self.sent)))

    @precondition(lambda self: self.sent)
    @rule()
    def the_last_snapshot_comes_twice_and_the_second_changes_nothing(self) -> None:
        self._apply(self.sent[-1])
        before = self.job
        self._apply(self.sent[-1])
        assert self.job is before

    @rule(seconds=st.integers(0, 1000))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000

    @rule(stored=shots, jitter=st.floats(0, 0.99))
    def sweeper_comes(self, stored: set[str], jitter: float) -> None:
        if is_due(self.job, self.now):
            keys = keys_of(self.case, *stored, job_id=self.job.job_id).values()
            self._change(lambda: sweep(self.job, keys, now=self.now, timing=TIMING, jitter=jitter))
            assert not is_due(self.job, self.now)

    @rule()
    def caller_cancels(self) -> None:
        self._change(lambda: cancel(self.job, now=self.now))
        assert not self.job.is_open

    @rule(changed=shots, words=st.sampled_from(["blue", "red"]))
    def caller_retries(self, changed: set[str], words: str) -> None:
        words_of = dict.fromkeys(changed & set(self.job.missing), words)
        old, case = self.job, self.case

        def decide() -> Job:
            again, changed = retry(old, case, words_of, now=self.now, timing=TIMING)
            self.case = changed or case
            return again

        self._change(decide)
        if self.job is not old:
            assert (self.job.status, self.job.lost_runs, self.job.failures) == (Status.PENDING, 0, {})

    @rule()
    def caller_replaces(self) -> None:
        old = self.job

        def decide() -> Job:
            self.jobs += 1
            case = replace(self.case)
            return replacement(old, case, job_id=f"job-{self.jobs}", salt=SALT, now=self.now, timing=TIMING)

        self._change(decide)


TestJobMachine = JobMachine.TestCase
TestJobMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
