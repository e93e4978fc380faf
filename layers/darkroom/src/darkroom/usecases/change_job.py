"""Change a job: read it, decide, and write over what was read; decide again when another writer won."""

from collections.abc import Callable

from darkroom.domain.case import Case
from darkroom.domain.errors import Busy, Contention
from darkroom.domain.job import Job
from darkroom.domain.run import RunLog
from darkroom.ports import JobStore

ATTEMPTS = 5
"""Most writes of one change. A job has few writers, so two lost writes in a row are rare."""

type Decision = Callable[[Job], tuple[Job, Case | RunLog | None]]
"""Return the next version of a job and what is stored with it. The same job means no change."""


def change_job(jobs: JobStore, case_id: str, decide: Decision) -> Job:
    """Return the job as stored after `decide`; raise Contention after `ATTEMPTS` lost writes, or Busy."""
    for _ in range(ATTEMPTS):
        job = jobs.get(case_id)
        changed, beside = decide(job)
        if changed is job:
            return job
        try:
            jobs.save(changed, beside)
        except Busy:
            raise  # the client has waited and sent again already: another write now would be refused too
        except Contention:
            continue
        return changed
    raise Contention("others kept writing this job; send the request again")
