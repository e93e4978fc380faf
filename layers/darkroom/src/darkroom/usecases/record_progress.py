"""Merge a worker's snapshot into its job."""

from dataclasses import dataclass

from darkroom.domain.errors import Contention
from darkroom.domain.job import Job
from darkroom.domain.progress import Snapshot, apply
from darkroom.domain.timing import Timing
from darkroom.ports import Clock, JobStore

TRIES = 5
"""A job has one live worker and is swept once a minute, so losing twice in a row is already rare."""


@dataclass(frozen=True, kw_only=True)
class RecordProgress:
    """Answers the job after the snapshot. Safe when the same snapshot comes twice, late or never.

    Raises JobNotFound, InvalidInput, Superseded, or Contention after `TRIES` lost writes.
    """

    jobs: JobStore
    clock: Clock
    timing: Timing

    def __call__(self, snapshot: Snapshot) -> Job:
        for _ in range(TRIES):
            job = self.jobs.get(snapshot.case_id)
            merged = apply(job, snapshot, now=self.clock(), timing=self.timing)
            if merged is job:
                return job
            try:
                self.jobs.save(merged)
            except Contention:
                continue
            return merged
        raise Contention("others kept writing this job; send the snapshot again")
