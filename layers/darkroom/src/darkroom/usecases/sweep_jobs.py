"""Sweep the jobs that are due: adopt their pictures, then schedule another run or end them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from darkroom.domain.errors import Busy, Contention, InvokeRefused, JobNotFound
from darkroom.domain.job_history import SWEEPER, with_history
from darkroom.domain.sweeping import is_due, is_stuck, sweep
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, ImageIndex, Jitter, JobStore
from darkroom.usecases.start_worker import StartWorker

type Each = Callable[[Callable[[str], None], Iterable[str]], Iterable[None]]
"""Call a function for each case: one after the other like `map`, or several at once."""


@dataclass(kw_only=True)
class SweepReport:
    """The result of one sweep, by case id. Several threads may add to it."""

    rescheduled: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    """Case id → job id of the jobs that were rescheduled or ended."""
    refused: list[str] = field(default_factory=list)
    """Rescheduled jobs whose worker could not be started. They become due again."""
    stuck: list[str] = field(default_factory=list)
    """Jobs that had been generating for over ten minutes when they were found."""
    failed: dict[str, str] = field(default_factory=dict)
    """Case id → kind of error, of jobs that could not be swept this time."""
    left: list[str] = field(default_factory=list)
    """Due jobs for which no time was left. The next sweep begins with them."""


@dataclass(frozen=True, kw_only=True)
class SweepJobs:
    """The sweep. Two sweeps may overlap."""

    jobs: JobStore
    images: ImageIndex
    start: StartWorker
    clock: Clock
    jitter: Jitter
    timing: Timing
    webhook_url: str
    limit: int
    each: Each = map

    def __call__(self, remaining_s: Callable[[], float] = lambda: math.inf) -> SweepReport:
        """Sweep at most `limit` jobs while time is left, the longest overdue first."""
        report = SweepReport()

        def attend(case_id: str) -> None:
            if remaining_s() <= 0:
                report.left.append(case_id)
                return
            try:
                self._sweep(case_id, report)
            except Busy as error:
                report.failed[case_id] = type(error).__name__
            except (Contention, JobNotFound):
                pass  # another writer has changed the job since the index was read: the job is theirs
            except InvokeRefused:
                report.refused.append(case_id)
            except Exception as error:  # noqa: BLE001 - one broken job must not keep the others from a sweep
                report.failed[case_id] = type(error).__name__

        for _ in self.each(attend, self.jobs.due(self.clock(), self.limit)):
            pass
        return report

    def _sweep(self, case_id: str, report: SweepReport) -> None:
        job = self.jobs.get(case_id)
        now = self.clock()
        if not is_due(job, now):
            return
        if is_stuck(job, now):
            report.stuck.append(case_id)
        stored = self.images.keys(job.case_id, job.job_id)
        swept = sweep(job, stored, now=now, timing=self.timing, jitter=self.jitter())
        self.jobs.save(with_history(job, swept, at=now, by=SWEEPER))
        report.jobs[case_id] = job.job_id
        if swept.run > job.run:
            report.rescheduled.append(case_id)
            self.start.start(swept, webhook_url=self.webhook_url)
        elif not swept.is_open and job.due_at is not None:
            report.ended.append(case_id)
