"""Merge a worker's snapshot into its job, and start the next run when the worker ran out of time."""

from dataclasses import dataclass, replace

from darkroom.domain.errors import InvokeRefused
from darkroom.domain.job import Job, Status
from darkroom.domain.progress import Snapshot, SnapshotKind, apply
from darkroom.domain.timing import Timing
from darkroom.domain.work import work_order
from darkroom.ports import Clock, JobStore, WorkerInvoker
from darkroom.usecases.change_job import change_job


@dataclass(frozen=True, kw_only=True)
class RecordProgress:
    """Answers the job after the snapshot. Safe when the same snapshot comes twice, late or never.

    Raises JobNotFound, InvalidInput, Superseded, Cancelled or Contention.
    """

    jobs: JobStore
    workers: WorkerInvoker
    clock: Clock
    timing: Timing

    def __call__(self, snapshot: Snapshot, *, webhook_url: str) -> Job:
        job = change_job(self.jobs, snapshot.case_id, lambda job: (self._applied(job, snapshot), None))
        if snapshot.kind is SnapshotKind.CONTINUE and job.status is Status.PENDING and job.hop > 0:
            self._continue(job, webhook_url)
        return job

    def _applied(self, job: Job, snapshot: Snapshot) -> Job:
        now = self.clock()
        changed = apply(job, snapshot, now=now, timing=self.timing)
        if changed is job or snapshot.sent_at is None:
            return changed
        return replace(changed, latency=max(0, now - snapshot.sent_at))

    def _continue(self, job: Job, webhook_url: str) -> None:
        case = self.jobs.get_case(job)
        try:
            self.workers.invoke(work_order(job, case, webhook_url=webhook_url))
        except InvokeRefused:
            return  # the job is armed: the sweeper finds it when its grace is over
