"""Accept a case: store its job, then start a worker."""

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
    """The acceptance of a case."""

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
        """Return the case's job, and True if this request made it.

        The same case again returns its job in any state. Another body raises CaseConflict, unless the
        caller asks to `replace` the job. The job must then have ended, else JobOpen or StillStopping is
        raised. `seen` holds the states that the caller means: StaleVersion is raised for another state,
        or when there is no job. Each request that makes a job counts once to the daily limit of `caller`,
        which raises DailyLimitReached. Of two requests for one case at the same time both may count.
        """
        submission = _Submission(
            case=case,
            caller=caller,
            replace=replace,
            seen=seen,
            job_id=self.new_id(),
            salt=self.new_id(),
            count=CountOnce(daily_limit=self.daily_limit),
        )
        job = self._created(submission) or self._existing(submission)
        if job.job_id != submission.job_id:
            return job, False
        # The job is stored before its worker is started: the sweeper finds a job without a worker.
        return self.start.start_or_explain(job, case, webhook_url=webhook_url), True

    def _created(self, submission: "_Submission") -> Job | None:
        """Return the new job; None when the case has a job already."""
        case = submission.case
        try:
            self.jobs.get(case.case_id)
        except JobNotFound:
            check_state(None, submission.seen)
            now = self.clock()
            submission.count(submission.caller, now)
            job = open_job(
                case,
                job_id=submission.job_id,
                salt=submission.salt,
                now=now,
                timing=self.timing,
                caller=submission.caller,
            )
            job = with_history(None, job, at=now, by=submission.caller)
            return job if self.jobs.create(job, case) else None
        return None

    def _existing(self, submission: "_Submission") -> Job:
        """Return the job of the case, replaced if the submission asks for that."""
        case = submission.case

        def decide(job: Job) -> tuple[Job, Case | None]:
            if job.request_digest == case.digest:
                return job, None
            if not submission.replace:
                raise CaseConflict(
                    "caseId was submitted before with another body; use a new caseId, or replace=true"
                )
            check_state(job, submission.seen)
            now = self.clock()
            new = replacement(
                job,
                case,
                job_id=submission.job_id,
                salt=submission.salt,
                now=now,
                timing=self.timing,
                caller=submission.caller,
            )
            submission.count(submission.caller, now)
            return with_history(job, new, at=now, by=submission.caller), case

        return change_job(self.jobs, case.case_id, decide)


@dataclass(frozen=True, kw_only=True)
class _Submission:
    """One request, with the ids of the job that it may make."""

    case: Case
    caller: str
    replace: bool
    seen: Container[str] | None
    job_id: str
    salt: str
    count: CountOnce
