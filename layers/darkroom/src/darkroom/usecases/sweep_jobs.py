"""Look after jobs nobody else will: re-arm what is overdue, end what is hopeless."""

from dataclasses import dataclass

from darkroom.domain.errors import (
    Contention,
    DeadlineExceeded,
    InvokeRefused,
    JobNotFound,
    RetriesExhausted,
)
from darkroom.domain.job import Job, Status, end, rearm
from darkroom.domain.timing import Timing
from darkroom.domain.work import work_order
from darkroom.ports import Clock, JobStore, WorkerInvoker

_REASONS = {
    Status.PENDING: "no worker claimed the run in time",
    Status.GENERATING: "the worker was lost",
}


@dataclass(frozen=True, kw_only=True)
class SweepReport:
    """What one sweep did, by case id."""

    rearmed: tuple[str, ...]
    ended: tuple[str, ...]
    refused: tuple[str, ...]
    """Re-armed, but the worker could not be started; they come due again."""


@dataclass(frozen=True, kw_only=True)
class SweepJobs:
    """Bounded work: at most `limit` jobs, the longest overdue first. Two sweeps may overlap."""

    jobs: JobStore
    workers: WorkerInvoker
    clock: Clock
    timing: Timing
    webhook_url: str
    limit: int

    def __call__(self) -> SweepReport:
        rearmed: list[str] = []
        ended: list[str] = []
        refused: list[str] = []
        for case_id in self.jobs.due(self.clock(), self.limit):
            try:
                job = self._sweep(case_id)
                if job is None:
                    continue
                (rearmed if job.is_open else ended).append(case_id)
                if job.is_open:
                    self._invoke(job)
            except (Contention, JobNotFound):
                continue  # somebody else moved the job since the index was read: it is theirs
            except InvokeRefused:
                refused.append(case_id)
        return SweepReport(rearmed=tuple(rearmed), ended=tuple(ended), refused=tuple(refused))

    def _sweep(self, case_id: str) -> Job | None:
        """The stored next version, or None when the job is not due (the index may lag behind it)."""
        job, now = self.jobs.get(case_id), self.clock()
        if job.due_at is None or job.due_at > now:
            return None
        if now >= job.deadline_at:
            swept = end(job, now=now, error=DeadlineExceeded("the job's deadline has passed"))
        elif job.retry_count >= self.timing.max_retries:
            error = RetriesExhausted(f"{_REASONS[job.status]}, after {job.retry_count} retries")
            swept = end(job, now=now, error=error)
        else:
            swept = rearm(job, now=now, timing=self.timing, reason=_REASONS[job.status])
        self.jobs.save(swept)
        return swept

    def _invoke(self, job: Job) -> None:
        case = self.jobs.get_case(job)
        self.workers.invoke(work_order(job, case, webhook_url=self.webhook_url))
