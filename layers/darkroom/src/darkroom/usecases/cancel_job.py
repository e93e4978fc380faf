"""Cancel a job at once. Its worker learns of it from the response to its next snapshot."""

from collections.abc import Container
from dataclasses import dataclass

from darkroom.domain.caller_actions import cancel, check_state
from darkroom.domain.job import Job
from darkroom.domain.job_history import with_history
from darkroom.ports import Clock, JobStore
from darkroom.usecases.change_job import change_job


@dataclass(frozen=True, kw_only=True)
class CancelJob:
    """The caller's wish that a job stops."""

    jobs: JobStore
    clock: Clock

    def __call__(self, case_id: str, *, by: str, seen: Container[str] | None = None) -> Job:
        """Return the job, cancelled unless it had ended already.

        Raise JobNotFound, Contention, or StaleVersion when the job's state is not among `seen`.
        """

        def decide(job: Job) -> tuple[Job, None]:
            check_state(job, seen)
            now = self.clock()
            return with_history(job, cancel(job, now=now), at=now, by=by), None

        return change_job(self.jobs, case_id, decide)
