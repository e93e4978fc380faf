"""Look after jobs nobody else will: adopt their pictures, re-arm what is overdue, end what is hopeless."""

from dataclasses import dataclass, field

from darkroom.domain.errors import Contention, InvokeRefused, JobNotFound
from darkroom.domain.job import Job
from darkroom.domain.sweeping import is_due, is_stuck, sweep
from darkroom.domain.timeline import SWEEPER, noted
from darkroom.domain.timing import Timing
from darkroom.domain.work import work_order
from darkroom.ports import Clock, ImageIndex, Jitter, JobStore, WorkerInvoker


@dataclass(kw_only=True)
class SweepReport:
    """What one sweep did, by case id."""

    rearmed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    """The job ids of those it moved."""
    refused: list[str] = field(default_factory=list)
    """Re-armed, but the worker could not be started; they come due again."""
    stuck: list[str] = field(default_factory=list)
    """Were generating for over ten minutes when they were found."""
    failed: dict[str, str] = field(default_factory=dict)
    """Could not be looked after this time, by the kind of error; the others were."""


@dataclass(frozen=True, kw_only=True)
class SweepJobs:
    """Bounded work: at most `limit` jobs, the longest overdue first. Two sweeps may overlap."""

    jobs: JobStore
    images: ImageIndex
    workers: WorkerInvoker
    clock: Clock
    jitter: Jitter
    timing: Timing
    webhook_url: str
    limit: int

    def __call__(self) -> SweepReport:
        report = SweepReport()
        for case_id in self.jobs.due(self.clock(), self.limit):
            try:
                self._look_after(case_id, report)
            except (Contention, JobNotFound):
                continue  # somebody else moved the job since the index was read: it is theirs
            except InvokeRefused:
                report.refused.append(case_id)
            except Exception as error:  # noqa: BLE001 - one broken job must not hide those behind it
                report.failed[case_id] = type(error).__name__
        return report

    def _look_after(self, case_id: str, report: SweepReport) -> None:
        job, now = self.jobs.get(case_id), self.clock()
        if not is_due(job, now):
            return
        if is_stuck(job, now):
            report.stuck.append(case_id)
        stored = self.images.keys(job.case_id, job.job_id)
        swept = sweep(job, stored, now=now, timing=self.timing, jitter=self.jitter())
        self.jobs.save(noted(job, swept, at=now, by=SWEEPER))
        (report.rearmed if swept.is_open else report.ended).append(case_id)
        report.jobs[case_id] = job.job_id
        if swept.is_open:
            self._invoke(swept)

    def _invoke(self, job: Job) -> None:
        case = self.jobs.get_case(job)
        self.workers.invoke(work_order(job, case, webhook_url=self.webhook_url))
