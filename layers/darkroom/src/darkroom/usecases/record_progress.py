"""Merge a worker's snapshot into its job, and start the next run when the worker ran out of time."""

from dataclasses import dataclass, replace

from darkroom.domain.errors import InvokeRefused
from darkroom.domain.history import RunLog
from darkroom.domain.job import Job, Status
from darkroom.domain.job_history import WORKER, with_history
from darkroom.domain.run import work_order
from darkroom.domain.snapshot import Snapshot, SnapshotKind, apply
from darkroom.domain.timing import Timing
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
        job = change_job(self.jobs, snapshot.case_id, lambda job: self._applied(job, snapshot))
        if snapshot.kind is SnapshotKind.CONTINUE and job.status is Status.PENDING and job.hop > 0:
            self._continue(job, webhook_url)
        return job

    def _applied(self, job: Job, snapshot: Snapshot) -> tuple[Job, RunLog | None]:
        now = self.clock()
        changed = apply(job, snapshot, now=now, timing=self.timing)
        if changed is job:
            return job, None
        if snapshot.sent_at is not None:
            changed = replace(changed, latency=max(0, now - snapshot.sent_at))
        return with_history(job, changed, at=now, by=WORKER), _log(job, snapshot)

    def _continue(self, job: Job, webhook_url: str) -> None:
        case = self.jobs.get_case(job)
        try:
            self.workers.invoke(work_order(job, case, webhook_url=webhook_url))
        except InvokeRefused:
            return  # the job is armed: the sweeper finds it when its grace is over


def _log(job: Job, snapshot: Snapshot) -> RunLog | None:
    """What the run says it has done, if it says anything."""
    if not snapshot.events:
        return None
    return RunLog(
        case_id=job.case_id,
        job_id=job.job_id,
        run=snapshot.run,
        sequence=snapshot.sequence,
        expires_at=job.deadline_at,
        events=snapshot.events,
        omitted=snapshot.events_omitted,
    )
