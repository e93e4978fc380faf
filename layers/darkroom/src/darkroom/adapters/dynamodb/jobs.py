"""Jobs in DynamoDB: one item a job, one for the case it was made from, one index of what is due.

The job's item is written as a whole and stays small; the descriptions lie in the case's item, of which
a retry writes another. `dueShard` and `dueAt` exist only while somebody must look at a job again,
so the index holds little; its shards spread the writes of many jobs over partitions.
"""

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from darkroom.adapters.dynamodb.batch_read import read_items
from darkroom.adapters.dynamodb.item_size import check_size
from darkroom.adapters.dynamodb.items import (
    SHARDS,
    case_attributes,
    case_id_of,
    case_key,
    job_attributes,
    job_key,
    plain,
    run_attributes,
    run_key,
    to_case,
    to_item,
    to_job,
    to_run_log,
)
from darkroom.domain.case import Case
from darkroom.domain.errors import Contention, JobNotFound
from darkroom.domain.history import RunLog
from darkroom.domain.job import Job

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_INDEX = "due"

RUNS = 20
"""Of so many runs, the latest, what they told is read."""

TELLS_MORE = "attribute_not_exists(pk) OR #sequence < :sequence"
"""Nothing of this run is stored, or an earlier snapshot's."""

IS_NEW = "attribute_not_exists(pk)"
"""Nobody has submitted the case before."""

FOLLOWS_THE_STORED_ONE = "version = :previous"
"""The stored job is the version this one was derived from: nobody moved it in between."""

_CREATE_TRIES = 5
_MARGIN_S = 86_400


class DynamoDBJobs:
    """See JobStore."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        keep_days: int = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._keep_s = keep_days * 86_400
        self._sleep = sleep

    def create(self, job: Job, case: Case) -> bool:
        """See JobStore. Two submissions at once conflict in their transactions: one tries again."""
        puts = [self._put(self._job_item(job), IS_NEW), self._put(self._case_item(job, case), IS_NEW)]
        for _ in range(_CREATE_TRIES):
            refused = self._transact(puts)
            if not refused:
                return True
            if "ConditionalCheckFailed" in refused:
                return False
        raise Contention("others are submitting this case; send the request again")

    def check_size(self, job: Job, case: Case) -> None:
        """See JobStore."""
        for attributes in (self._job_item(job), self._case_item(job, case)):
            check_size(to_item(attributes))

    def get(self, case_id: str) -> Job:
        """See JobStore."""
        return to_job(self._read(job_key(case_id)))

    def get_case(self, job: Job) -> Case:
        """See JobStore."""
        return to_case(self._read(case_key(job)))

    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        """See JobStore."""
        put = self._put(self._job_item(job), FOLLOWS_THE_STORED_ONE, previous=job.version - 1)
        if beside is not None:
            if self._transact([put, self._put_beside(job, beside)]):
                raise Contention("somebody else moved the job")
            return
        exceptions = self._client.exceptions
        try:
            self._client.put_item(**put)
        except (
            exceptions.ConditionalCheckFailedException,
            exceptions.TransactionConflictException,
        ) as error:
            raise Contention("somebody else moved the job") from error

    def run_logs(self, job: Job) -> Sequence[RunLog]:
        """See JobStore. One read of several items."""
        runs = range(max(1, job.run - RUNS + 1), job.run + 1)
        keys = [run_key(job.case_id, job.job_id, run) for run in runs]
        found = read_items(self._client, self._table, keys, self._sleep)
        return sorted((to_run_log(plain(item)) for item in found), key=lambda log: log.run)

    def _put_beside(self, job: Job, beside: Case | RunLog) -> Any:
        if isinstance(beside, Case):
            return self._put(self._case_item(job, beside), IS_NEW)
        expires_at = beside.expires_at // 1000 + self._keep_s + _MARGIN_S
        item = run_attributes(beside) | {"expiresAt": expires_at}
        put = self._put(item, TELLS_MORE, sequence=beside.sequence)
        return put | {"ExpressionAttributeNames": {"#sequence": "sequence"}}

    def _job_item(self, job: Job) -> Mapping[str, Any]:
        """An ended job is forgotten some days later; an open one never."""
        ended = None if job.is_open else job.completed_at
        return job_attributes(job) | {"expiresAt": ended and ended // 1000 + self._keep_s}

    def _case_item(self, job: Job, case: Case) -> Mapping[str, Any]:
        """Outlives the runs that are made from it; a later retry stores it anew."""
        expires_at = job.revision_until // 1000 + self._keep_s + _MARGIN_S
        return case_attributes(job, case) | {"expiresAt": expires_at}

    def _put(self, attributes: Mapping[str, Any], condition: str, **values: int) -> Any:
        item = to_item(attributes)
        check_size(item)
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = {f":{n}": {"N": str(v)} for n, v in values.items()}
        return put

    def _transact(self, puts: Sequence[Any]) -> set[str]:
        """Store all or nothing; why it was refused, empty when it was not."""
        try:
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])
        except self._client.exceptions.TransactionCanceledException as error:
            codes = {str(r.get("Code")) for r in error.response.get("CancellationReasons", [])}
            refused = codes & {"ConditionalCheckFailed", "TransactionConflict"}
            if not refused:
                raise
            return refused
        return set()

    def due(self, now: int, limit: int) -> Sequence[str]:
        """See JobStore. Reads the index only, `limit` entries a shard at most."""
        shards = [self._due_in_shard(shard, now, limit) for shard in range(SHARDS)]
        return [case_id for _, case_id in heapq.nsmallest(limit, chain.from_iterable(shards))]

    def _due_in_shard(self, shard: int, now: int, limit: int) -> list[tuple[int, str]]:
        page = self._client.query(
            TableName=self._table,
            IndexName=DUE_INDEX,
            KeyConditionExpression="dueShard = :shard AND dueAt <= :now",
            ExpressionAttributeValues={":shard": {"S": str(shard)}, ":now": {"N": str(now)}},
            Limit=limit,
        )
        return [(int(i["dueAt"]["N"]), case_id_of(i["pk"]["S"])) for i in page["Items"]]

    def _read(self, key: str) -> Mapping[str, Any]:
        answer = self._client.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        if "Item" not in answer:
            raise JobNotFound("no job exists for this case")
        return plain(answer["Item"])
