"""Store jobs in DynamoDB: one item a job, one for the case that it was made from, one for each run's log.

The job's item is written as a whole and stays small. The descriptions are in the case's item. A retry
stores another one when it changes the case, or when the stored one would expire too early. A job is in the
index of what is due only while somebody must look at it again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, override

from darkroom.adapters.dynamodb.item_size import check_size
from darkroom.adapters.dynamodb.items import (
    SHARDS,
    case_attributes,
    case_id_of,
    case_key,
    job_attributes,
    job_key,
    run_attributes,
    run_key,
    to_case,
    to_job,
    to_run_log,
)
from darkroom.adapters.dynamodb.table import DAY_S, Item, Table, Write, put, to_item
from darkroom.domain.case import Case
from darkroom.domain.errors import Contention, JobNotFound, Unreadable
from darkroom.domain.job import Job
from darkroom.domain.run import RunLog
from darkroom.domain.timing import KEEP_DAYS
from darkroom.ports import JobStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RUNS = 20
"""Number of a job's latest runs whose logs are read."""

IS_NEWER_SNAPSHOT = "attribute_not_exists(pk) OR #sequence < :sequence"
"""Nothing of this run is stored, or the log of an earlier snapshot."""

IS_NEW = "attribute_not_exists(pk)"
"""No item has this key yet: that of a job, or that of the case of one submission or retry."""

VERSION_MATCHES = "version = :previous"
"""The stored job is the version that this one was derived from: nobody changed it in between."""

_MARGIN_S = DAY_S


class DynamoDBJobs(JobStore):
    """Store jobs, their cases and their runs' logs."""

    def __init__(self, client: "DynamoDBClient", table: str, keep_days: int = KEEP_DAYS) -> None:
        self._table = Table(client, table, keep_days=keep_days)

    @override
    def create(self, job: Job, case: Case) -> bool:
        writes = [_put(self._job_item(job), IS_NEW), _put(self._case_item(job, case), IS_NEW)]
        return self._table.write_once(
            writes, conflict="others are submitting this case; send the request again"
        )

    @override
    def check_size(self, job: Job, case: Case) -> None:
        for attributes in (self._job_item(job), self._case_item(job, case)):
            check_size(to_item(attributes))

    @override
    def get(self, case_id: str) -> Job:
        return to_job(self._read(job_key(case_id)))

    @override
    def get_case(self, job: Job) -> Case:
        return to_case(self._read(case_key(job)))

    @override
    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        write = _put(self._job_item(job), VERSION_MATCHES, previous=job.version - 1)
        if beside is None:
            is_stored = self._table.write(write)
        else:
            is_stored = not self._table.write_together([write, self._put_beside(job, beside)])
        if not is_stored:
            raise Contention("somebody else changed the job")

    @override
    def run_logs(self, job: Job) -> Sequence[RunLog]:
        runs = range(max(1, job.run - RUNS + 1), job.run + 1)
        found = self._table.get_many(run_key(job.case_id, job.job_id, run) for run in runs)
        return sorted(_readable(found), key=lambda log: log.run)

    @override
    def due(self, now: int, limit: int) -> Sequence[str]:
        return [case_id_of(key) for key in self._table.due(map(str, range(SHARDS)), now, limit)]

    def _put_beside(self, job: Job, beside: Case | RunLog) -> Write:
        if isinstance(beside, Case):
            return _put(self._case_item(job, beside), IS_NEW)
        expires_at = self._table.expires_at(beside.expires_at) + _MARGIN_S
        item = run_attributes(beside) | {"expiresAt": expires_at}
        return _put(item, IS_NEWER_SNAPSHOT, sequence=beside.sequence)

    def _job_item(self, job: Job) -> Item:
        """Return the item of `job`. That of an ended job expires, that of an open one never does."""
        ended = None if job.is_open else job.completed_at
        return job_attributes(job) | {"expiresAt": ended and self._table.expires_at(ended)}

    def _case_item(self, job: Job, case: Case) -> Item:
        """Return the item of `case`. It outlives the runs made from it."""
        expires_at = self._table.expires_at(job.revision_until) + _MARGIN_S
        return case_attributes(job, case) | {"expiresAt": expires_at}

    def _read(self, key: str) -> Item:
        item = self._table.get(key)
        if item is None:
            raise JobNotFound("no job exists for this case")
        return item


def _readable(items: Iterable[Item]) -> Iterator[RunLog]:
    """Yield the logs that this release can read: one that it cannot must not hide the others."""
    for item in items:
        with suppress(Unreadable):
            yield to_run_log(item)


def _put(attributes: Item, condition: str, /, **values: Any) -> Write:
    """Return the write of an item that fits; raise CaseTooLarge."""
    write = put(attributes, condition, **values)
    check_size(write["Put"]["Item"])
    return write
