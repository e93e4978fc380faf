"""Read, decide, write over what was read: and decide again on what won when somebody was faster."""

from collections.abc import Callable

from darkroom.domain.case import Case
from darkroom.domain.errors import Busy, Contention
from darkroom.domain.history import RunLog
from darkroom.domain.job import Job
from darkroom.ports import JobStore

TRIES = 5
"""A job has one live worker and is swept once a minute, so losing twice in a row is already rare."""

type Decision = Callable[[Job], tuple[Job, Case | RunLog | None]]
"""The next version of a job, and what is stored with it; the job itself for no change."""


def change_job(jobs: JobStore, case_id: str, decide: Decision) -> Job:
    """The job as it is stored after `decide`; raises Contention after `TRIES` lost writes, Busy."""
    for _ in range(TRIES):
        job = jobs.get(case_id)
        changed, beside = decide(job)
        if changed is job:
            return job
        try:
            jobs.save(changed, beside)
        except Busy:
            raise  # the client has waited and tried already; another write at once would be refused, too
        except Contention:
            continue
        return changed
    raise Contention("others kept writing this job; send the request again")
