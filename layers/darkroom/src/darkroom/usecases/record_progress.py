"""Apply a worker's snapshot to its job, and start the next worker when the snapshot asks for one."""

from contextlib import suppress
from dataclasses import dataclass, replace

from darkroom.domain.errors import InvokeRefused
from darkroom.domain.job import Job, Status
from darkroom.domain.job_history import WORKER, with_history
from darkroom.domain.run import RunLog
from darkroom.domain.snapshot import Snapshot, SnapshotKind, apply
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, JobStore
from darkroom.usecases.change_job import change_job
from darkroom.usecases.start_worker import StartWorker


@dataclass(frozen=True, kw_only=True)
class RecordProgress:
    """The webhook's use case. The same snapshot may come twice, late or never."""

    jobs: JobStore
    start: StartWorker
    clock: Clock
    timing: Timing

    def __call__(self, snapshot: Snapshot, *, webhook_url: str) -> Job:
        """Return the job after the snapshot.

        Raise JobNotFound, InvalidInput, Superseded, Cancelled, CaseTooLarge or Contention.
        """
        job = change_job(self.jobs, snapshot.case_id, lambda job: self._applied(job, snapshot))
        if snapshot.kind is SnapshotKind.CONTINUE and job.status is Status.PENDING and job.hop > 0:
            with suppress(InvokeRefused):  # the run is scheduled: the sweeper finds it after the grace
                self.start.start(job, webhook_url=webhook_url)
        return job

    def _applied(self, job: Job, snapshot: Snapshot) -> tuple[Job, RunLog | None]:
        now = self.clock()
        changed = apply(job, snapshot, now=now, timing=self.timing)
        if changed is job:
            return job, None
        if snapshot.sent_at is not None:
            changed = replace(changed, latency=max(0, now - snapshot.sent_at))
        return with_history(job, changed, at=now, by=WORKER), _run_log(job, snapshot)


def _run_log(job: Job, snapshot: Snapshot) -> RunLog | None:
    """Return the run's events as its snapshot has them; None when there are none."""
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
