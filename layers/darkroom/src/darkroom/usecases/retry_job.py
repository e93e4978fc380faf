"""Give the shots without a picture another run, on the caller's word."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from darkroom.domain.access import Access
from darkroom.domain.caller_actions import check_state, counts_as_a_case, retry
from darkroom.domain.case import Case
from darkroom.domain.job import Job
from darkroom.domain.job_history import with_history
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, DailyLimit, JobStore
from darkroom.usecases.change_job import change_job
from darkroom.usecases.count_once import CountOnce
from darkroom.usecases.start_worker import StartWorker


@dataclass(frozen=True, kw_only=True)
class RetryJob:
    """Answers the job, pending again. `descriptions` replace those of shots without a picture, and a
    `max_cost_micro_usd` the one before. `by` is who asked; what a guest asks for counts for the owner.

    Raises JobNotFound, JobOpen, StillStopping, NothingToRetry, InvalidInput, CaseTooLarge, DailyLimitReached,
    Forbidden to a guest, and StaleVersion when the job's state is not among `seen`: so a request that is
    sent twice cannot pay twice.
    """

    jobs: JobStore
    daily_limit: DailyLimit
    start: StartWorker
    clock: Clock
    timing: Timing

    def __call__(
        self,
        case_id: str,
        descriptions: Mapping[str, str],
        *,
        by: Access,
        webhook_url: str,
        seen: Container[str] | None = None,
        max_cost_micro_usd: int | None = None,
    ) -> Job:
        count = CountOnce(daily_limit=self.daily_limit)
        case: Case

        def decide(job: Job) -> tuple[Job, Case | None]:
            nonlocal case
            check_state(job, seen)
            now = self.clock()
            case = self.jobs.get_case(job)
            again, changed = retry(
                job,
                case,
                descriptions,
                now=now,
                timing=self.timing,
                max_cost_micro_usd=max_cost_micro_usd,
                guest=by.is_guest,
            )
            if changed is not None:
                self.jobs.check_size(again, changed)
                case = changed
            if counts_as_a_case(job, guest=by.is_guest):
                count(job.caller if by.is_guest else by.caller, now)
            return with_history(job, again, at=now, by=by.caller), changed

        job = change_job(self.jobs, case_id, decide)
        # Nothing is read any more: a table that is busy now would keep a job that is stored from its worker.
        return self.start(job, case, webhook_url=webhook_url)
