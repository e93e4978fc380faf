"""Adopt the pictures of overdue jobs, reschedule them, and end those that are out of time."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from darkroom.domain.errors import Busy, Contention, InvokeRefused, JobNotFound
from darkroom.domain.job import Job
from darkroom.domain.job_history import SWEEPER, with_history
from darkroom.domain.run import work_order
from darkroom.domain.sweeping import is_due, is_stuck, sweep
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, ImageIndex, Jitter, JobStore, WorkerInvoker

type Each = Callable[[Callable[[str], None], Iterable[str]], Iterable[None]]
"""Does something for each case: like `map` one after the other, or several at once."""


@dataclass(kw_only=True)
class SweepReport:
    """What one sweep did, by case id. Several threads may add to it."""

    rescheduled: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    """The job ids of those it moved."""
    refused: list[str] = field(default_factory=list)
    """Rescheduled, but the worker could not be started; they come due again."""
    stuck: list[str] = field(default_factory=list)
    """Were generating for over ten minutes when they were found."""
    failed: dict[str, str] = field(default_factory=dict)
    """Could not be looked after this time, by the kind of error; the others were."""
    left: list[str] = field(default_factory=list)
    """Due, but the time was over; the next sweep begins with them."""


@dataclass(frozen=True, kw_only=True)
class SweepJobs:
    """Bounded work: at most `limit` jobs while time is left, the longest overdue first.

    Two sweeps may overlap.
    """

    jobs: JobStore
    images: ImageIndex
    workers: WorkerInvoker
    clock: Clock
    jitter: Jitter
    timing: Timing
    webhook_url: str
    limit: int
    each: Each = map

    def __call__(self, remaining_s: Callable[[], float] = lambda: math.inf) -> SweepReport:
        report = SweepReport()

        def attend(case_id: str) -> None:
            if remaining_s() <= 0:
                report.left.append(case_id)
                return
            try:
                self._look_after(case_id, report)
            except Busy as error:
                report.failed[case_id] = type(error).__name__
            except (Contention, JobNotFound):
                pass  # somebody else moved the job since the index was read: it is theirs
            except InvokeRefused:
                report.refused.append(case_id)
            except Exception as error:  # noqa: BLE001 - one broken job must not hide those behind it
                report.failed[case_id] = type(error).__name__

        for _ in self.each(attend, self.jobs.due(self.clock(), self.limit)):
            pass
        return report

    def _look_after(self, case_id: str, report: SweepReport) -> None:
        job, now = self.jobs.get(case_id), self.clock()
        if not is_due(job, now):
            return
        if is_stuck(job, now):
            report.stuck.append(case_id)
        stored = self.images.keys(job.case_id, job.job_id)
        swept = sweep(job, stored, now=now, timing=self.timing, jitter=self.jitter())
        self.jobs.save(with_history(job, swept, at=now, by=SWEEPER))
        (report.rescheduled if swept.is_open else report.ended).append(case_id)
        report.jobs[case_id] = job.job_id
        if swept.is_open:
            self._invoke(swept)

    def _invoke(self, job: Job) -> None:
        case = self.jobs.get_case(job)
        self.workers.invoke(work_order(job, case, webhook_url=self.webhook_url))
