"""Accept a case: store its job, then hand it to a worker."""

from dataclasses import dataclass

from darkroom.domain.case import Case
from darkroom.domain.errors import CaseConflict, Contention, InvokeRefused
from darkroom.domain.job import Job, open_job
from darkroom.domain.timing import Timing
from darkroom.domain.work import work_order
from darkroom.ports import Clock, JobStore, NewId, WorkerInvoker


@dataclass(frozen=True, kw_only=True)
class SubmitCase:
    """Answers (job, created). The same case again is the job there is; another body is a conflict."""

    jobs: JobStore
    workers: WorkerInvoker
    clock: Clock
    new_id: NewId
    timing: Timing

    def __call__(self, case: Case, *, webhook_url: str) -> tuple[Job, bool]:
        job = open_job(case, job_id=self.new_id(), now=self.clock(), timing=self.timing)
        # Store, then invoke: the sweeper finds a job without a worker, nobody a worker without a job.
        if not self.jobs.create(job, case):
            return self._existing(case), False
        try:
            self.workers.invoke(work_order(job, case, webhook_url=webhook_url))
        except InvokeRefused as refused:
            job = self._noted(job, str(refused))
        return job, True

    def _existing(self, case: Case) -> Job:
        job = self.jobs.get(case.case_id)
        if job.request_digest != case.digest:
            raise CaseConflict(
                "caseId was submitted before with another body; use a new caseId for another case"
            )
        return job

    def _noted(self, job: Job, reason: str) -> Job:
        noted = job.noted(reason)
        try:
            self.jobs.save(noted)
        except Contention:
            return self.jobs.get(job.case_id)
        return noted
