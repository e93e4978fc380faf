"""Hand a stored job to a worker; when that is refused, say so in the job and leave it to the sweeper."""

from dataclasses import dataclass

from darkroom.domain.case import Case
from darkroom.domain.errors import Contention, InvokeRefused
from darkroom.domain.job import Job
from darkroom.domain.run import work_order
from darkroom.ports import JobStore, WorkerInvoker


@dataclass(frozen=True, kw_only=True)
class StartWorker:
    """Answers the job as it is now. It must have been stored before."""

    jobs: JobStore
    workers: WorkerInvoker

    def __call__(self, job: Job, case: Case, *, webhook_url: str) -> Job:
        try:
            self.workers.invoke(work_order(job, case, webhook_url=webhook_url))
        except InvokeRefused as refused:
            return self._noted(job, str(refused))
        return job

    def _noted(self, job: Job, reason: str) -> Job:
        noted = job.with_last_error(reason)
        try:
            self.jobs.save(noted)
        except Contention:
            return self.jobs.get(job.case_id)
        return noted
