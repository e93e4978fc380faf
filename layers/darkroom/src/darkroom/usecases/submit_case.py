"""Accept a case: store its job, then hand it to a worker."""

from collections.abc import Container
from dataclasses import dataclass

from darkroom.domain.caller_actions import check_state, replacement
from darkroom.domain.case import Case
from darkroom.domain.errors import CaseConflict, JobNotFound
from darkroom.domain.job import Job, open_job
from darkroom.domain.job_history import with_history
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, DailyLimit, JobStore, NewId
from darkroom.usecases.change_job import change_job
from darkroom.usecases.count_once import CountOnce
from darkroom.usecases.start_worker import StartWorker


@dataclass(frozen=True, kw_only=True)
class SubmitCase:
    """Answers (job, created). The same case again is the job there is, whatever its state.

    Another body is a CaseConflict unless the caller asks to replace the job, which must have ended:
    JobOpen, StillStopping. `seen` are the states that the caller means: StaleVersion when it is another,
    or when there is no job. Each request that makes a job counts once for `caller`: DailyLimitReached. Of two
    at once for one case both may count.
    """

    jobs: JobStore
    daily_limit: DailyLimit
    start: StartWorker
    clock: Clock
    new_id: NewId
    timing: Timing

    def __call__(
        self,
        case: Case,
        *,
        caller: str,
        webhook_url: str,
        replace: bool = False,
        seen: Container[str] | None = None,
    ) -> tuple[Job, bool]:
        job_id, salt = self.new_id(), self.new_id()
        count = CountOnce(daily_limit=self.daily_limit)
        # Store, then invoke: the sweeper finds a job without a worker, nobody a worker without a job.
        job = self._created(case, caller, job_id, salt, count, seen=seen)
        if job is None:
            job = self._existing(case, caller, job_id, salt, count, replace=replace, seen=seen)
            if job.job_id != job_id:
                return job, False
        return self.start(job, case, webhook_url=webhook_url), True

    def _created(
        self,
        case: Case,
        caller: str,
        job_id: str,
        salt: str,
        count: CountOnce,
        *,
        seen: Container[str] | None,
    ) -> Job | None:
        """The new job; None when the case has one."""
        try:
            self.jobs.get(case.case_id)
        except JobNotFound:
            check_state(None, seen)
            now = self.clock()
            count(caller, now)
            job = open_job(case, job_id=job_id, salt=salt, now=now, timing=self.timing, caller=caller)
            job = with_history(None, job, at=now, by=caller)
            return job if self.jobs.create(job, case) else None
        return None

    def _existing(
        self,
        case: Case,
        caller: str,
        job_id: str,
        salt: str,
        count: CountOnce,
        *,
        replace: bool,
        seen: Container[str] | None,
    ) -> Job:
        def decide(job: Job) -> tuple[Job, Case | None]:
            if job.request_digest == case.digest:
                return job, None
            if not replace:
                raise CaseConflict(
                    "caseId was submitted before with another body; use a new caseId, or replace=true"
                )
            check_state(job, seen)
            now = self.clock()
            new = replacement(job, case, job_id=job_id, salt=salt, now=now, timing=self.timing, caller=caller)
            count(caller, now)
            return with_history(job, new, at=now, by=caller), case

        return change_job(self.jobs, case.case_id, decide)
