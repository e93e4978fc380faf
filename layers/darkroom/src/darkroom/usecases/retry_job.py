"""Start another run for the shots without a picture, because a caller asked for it."""

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
    """The caller's wish for another run of the shots without a picture."""

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
        """Return the job, pending again.

        `descriptions` replace those of shots without a picture, `max_cost_micro_usd` the cost limit. A
        retry `by` a guest counts to the daily limit of the owner.

        Raise JobNotFound, JobOpen, StillStopping, NothingToRetry, InvalidInput, CaseTooLarge, Contention,
        DailyLimitReached, Forbidden to a guest, or StaleVersion when the job's state is not among `seen`:
        with that condition a request that is sent twice cannot pay twice.
        """
        count = CountOnce(daily_limit=self.daily_limit)
        case: Case

        def decide(job: Job) -> tuple[Job, Case | None]:
            nonlocal case
            check_state(job, seen)
            now = self.clock()
            case = self.jobs.get_case(job)
            retried, changed = retry(
                job,
                case,
                descriptions,
                now=now,
                timing=self.timing,
                max_cost_micro_usd=max_cost_micro_usd,
                guest=by.is_guest,
            )
            if changed is not None:
                self.jobs.check_size(retried, changed)
                case = changed
            if counts_as_a_case(job, guest=by.is_guest):
                count(job.caller if by.is_guest else by.caller, now)
            return with_history(job, retried, at=now, by=by.caller), changed

        job = change_job(self.jobs, case_id, decide)
        # Nothing is read after the write: a table without capacity must not keep the job from its worker.
        return self.start.start_or_explain(job, case, webhook_url=webhook_url)
