"""Start a worker for the current run of a stored job."""

from dataclasses import dataclass

from darkroom.domain.case import Case
from darkroom.domain.errors import Contention, InvokeRefused
from darkroom.domain.job import Job
from darkroom.domain.run import work_order
from darkroom.ports import JobStore, WorkerInvoker


@dataclass(frozen=True, kw_only=True)
class StartWorker:
    """The way of a stored job to a worker. When no worker can be started, the sweeper finds the job later."""

    jobs: JobStore
    workers: WorkerInvoker

    def start(self, job: Job, *, webhook_url: str) -> None:
        """Start a worker; raise InvokeRefused when none can be started now."""
        self._invoke(job, self.jobs.get_case(job), webhook_url)

    def start_or_explain(self, job: Job, case: Case, *, webhook_url: str) -> Job:
        """Start a worker and return the job; if none can be started, the job's `last_error` says why."""
        try:
            self._invoke(job, case, webhook_url)
        except InvokeRefused as refused:
            return self._with_last_error(job, str(refused))
        return job

    def _invoke(self, job: Job, case: Case, webhook_url: str) -> None:
        self.workers.invoke(work_order(job, case, webhook_url=webhook_url))

    def _with_last_error(self, job: Job, reason: str) -> Job:
        explained = job.with_last_error(reason)
        try:
            self.jobs.save(explained)
        except Contention:
            return self.jobs.get(job.case_id)
        return explained
