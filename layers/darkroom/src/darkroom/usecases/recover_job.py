"""Recover a job whose worker's invocation failed: suspect the worker, and replace it if it stays silent."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from darkroom.domain.errors import InvokeRefused, JobNotFound
from darkroom.domain.job import Job
from darkroom.domain.job_history import RECOVERY, with_history
from darkroom.domain.recovery import (
    FailedInvocation,
    SecondLook,
    awaits_look,
    is_about,
    is_silent,
    is_suspected,
    must_start,
    recover,
    take_over,
)
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, ImageIndex, Jitter, JobStore, RecoveryQueue
from darkroom.usecases.change_job import Decision, change_job
from darkroom.usecases.start_worker import StartWorker

MARGIN_MS = 2_000
"""Milliseconds by which a second look comes later than it is due, because clocks differ."""


class Outcome(StrEnum):
    """Outcome of a message to the recovery."""

    DROPPED = "dropped"
    """It is not of the current run of an open job, or changes nothing."""
    SUSPECTED = "suspected"
    """The worker is suspected, and a second look is on its way."""
    RESTARTED = "restarted"
    """Another run is scheduled."""
    POSTPONED = "postponed"
    """The sweeper decides about the job when it is due."""


@dataclass(frozen=True, kw_only=True)
class RecoverJob:
    """The recovery of one job. Each message may come twice, late or never."""

    jobs: JobStore
    images: ImageIndex
    start: StartWorker
    queue: RecoveryQueue
    clock: Clock
    jitter: Jitter
    timing: Timing
    webhook_url: str

    def __call__(self, message: FailedInvocation | SecondLook) -> Outcome:
        """Carry out a message; raise Contention when it must come again."""
        if isinstance(message, SecondLook):
            return self.look_again(message)
        return self.after_failure(message)

    def after_failure(self, record: FailedInvocation) -> Outcome:
        """Suspect the worker of the record, or restart a run that nobody claimed; raise Contention."""
        before: Job

        def decide(job: Job) -> tuple[Job, None]:
            nonlocal before
            before = job
            now = self.clock()
            recovered = recover(job, record, now=now, timing=self.timing, jitter=self.jitter())
            return with_history(job, recovered, at=now, by=RECOVERY), None

        job = self._changed(record.case_id, decide)
        if job is None:
            return Outcome.DROPPED
        if is_suspected(job, record):
            # A record that comes again sends the second look again: the first may not have been sent.
            self._look_later(job)
            return Outcome.SUSPECTED
        return self._outcome(before, job)

    def look_again(self, look: SecondLook) -> Outcome:
        """Take over the run of a suspected worker that has stayed silent; raise Contention."""
        before: Job

        def decide(job: Job) -> tuple[Job, None]:
            nonlocal before
            before = job
            now = self.clock()
            if not is_silent(job, now) or not is_about(job, look):
                return job, None
            stored = self.images.keys(job.case_id, job.job_id)
            taken = take_over(job, stored, now=now, timing=self.timing)
            return with_history(job, taken, at=now, by=RECOVERY), None

        job = self._changed(look.case_id, decide)
        if job is None:
            return Outcome.DROPPED
        if job is before and is_about(job, look) and awaits_look(job, self.clock()):
            self._look_later(job)  # it came too early
            return Outcome.SUSPECTED
        return self._outcome(before, job)

    def _changed(self, case_id: str, decide: Decision) -> Job | None:
        with suppress(JobNotFound):
            return change_job(self.jobs, case_id, decide)
        return None

    def _outcome(self, before: Job, job: Job) -> Outcome:
        if job is before:
            return Outcome.DROPPED
        if not must_start(before, job):
            return Outcome.POSTPONED
        with suppress(InvokeRefused):  # the run is scheduled: the sweeper finds it after the grace
            self.start.start(job, webhook_url=self.webhook_url)
        return Outcome.RESTARTED

    def _look_later(self, job: Job) -> None:
        """Send a message that comes back when the worker's time to show that it lives is over."""
        now = self.clock()
        if not awaits_look(job, now):
            return
        assert job.claim is not None
        assert job.due_at is not None
        look = SecondLook(case_id=job.case_id, job_id=job.job_id, run=job.run, claim=job.claim)
        delay = max(0, job.due_at - now) + MARGIN_MS
        self.queue.send(look, delay_s=-(-delay // 1000))
