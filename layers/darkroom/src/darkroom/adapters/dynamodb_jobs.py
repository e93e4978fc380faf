"""Jobs in DynamoDB: one item a job, one for the case it was made from, one index of what is due.

The job's item is written as a whole and stays small; the descriptions lie in the case's item, of which
a retry writes another. `dueShard` and `dueAt` exist only while a job is
open, so the index holds open jobs only; its shards spread the writes of many jobs over partitions.
"""

import heapq
import json
import zlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from darkroom.domain.case import Case, Shot, ShotKind, image_prefix
from darkroom.domain.errors import Contention, JobNotFound
from darkroom.domain.history import Event, EventKind, Move, RunLog, What
from darkroom.domain.job import Failure, Job, JobShot, Status
from darkroom.domain.receivers import CallbackEvent, Receiver

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_INDEX = "due"
SHARDS = 8

RUNS = 20
"""Of so many runs, the latest, what they told is read."""

TELLS_MORE = "attribute_not_exists(pk) OR #sequence < :sequence"
"""Nothing of this run is stored, or an earlier snapshot's."""

IS_NEW = "attribute_not_exists(pk)"
"""Nobody has submitted the case before."""

FOLLOWS_THE_STORED_ONE = "version = :previous"
"""The stored job is the version this one was derived from: nobody moved it in between."""

_CREATE_TRIES = 5
_READ_TRIES = 5
_MARGIN_S = 86_400
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class DynamoDBJobs:
    """See JobStore."""

    def __init__(self, client: "DynamoDBClient", table: str, keep_days: int = 30) -> None:
        self._client = client
        self._table = table
        self._keep_s = keep_days * 86_400

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

    def get(self, case_id: str) -> Job:
        """See JobStore."""
        return _to_job(self._read(_job_key(case_id)))

    def get_case(self, job: Job) -> Case:
        """See JobStore."""
        return _to_case(self._read(_case_key(job)))

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
        """See JobStore. One read of several items, again for those the table had no room for."""
        runs = range(max(1, job.run - RUNS + 1), job.run + 1)
        wanted: list[Any] = [{"pk": {"S": _run_key(job.case_id, job.job_id, run)}} for run in runs]
        found: list[dict[str, Any]] = []
        for _ in range(_READ_TRIES):
            answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted}})
            found += answer["Responses"].get(self._table, [])
            unread = answer["UnprocessedKeys"].get(self._table)
            wanted = unread["Keys"] if unread else []
            if not wanted:
                logs = [_to_run_log({n: _deserialize(v) for n, v in item.items()}) for item in found]
                return sorted(logs, key=lambda log: log.run)
        raise Contention("the table is busy; send the request again")

    def _put_beside(self, job: Job, beside: Case | RunLog) -> Any:
        if isinstance(beside, Case):
            return self._put(self._case_item(job, beside), IS_NEW)
        expires_at = beside.expires_at // 1000 + self._keep_s + _MARGIN_S
        item = _run_attributes(beside) | {"expiresAt": expires_at}
        put = self._put(item, TELLS_MORE, sequence=beside.sequence)
        return put | {"ExpressionAttributeNames": {"#sequence": "sequence"}}

    def _job_item(self, job: Job) -> Mapping[str, Any]:
        """An ended job is forgotten some days later; an open one never."""
        ended = None if job.is_open else job.completed_at
        return _job_attributes(job) | {"expiresAt": ended and ended // 1000 + self._keep_s}

    def _case_item(self, job: Job, case: Case) -> Mapping[str, Any]:
        """Outlives its job, which ends soon after its deadline at the latest; a retry stores another."""
        expires_at = job.deadline_at // 1000 + self._keep_s + _MARGIN_S
        return _case_attributes(job, case) | {"expiresAt": expires_at}

    def _put(self, attributes: Mapping[str, Any], condition: str, **values: int) -> Any:
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": _item(attributes),
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
        return [(int(i["dueAt"]["N"]), _case_id(i["pk"]["S"])) for i in page["Items"]]

    def _read(self, key: str) -> Mapping[str, Any]:
        answer = self._client.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        if "Item" not in answer:
            raise JobNotFound("no job exists for this case")
        return {name: _deserialize(value) for name, value in answer["Item"].items()}


_JOB_KEY = "case:{}:image-job"


def _job_key(case_id: str) -> str:
    return _JOB_KEY.format(case_id)


def _case_key(job: Job) -> str:
    return f"case:{job.case_id}:image-request:{job.job_id}:{job.revision}"


def _run_key(case_id: str, job_id: str, run: int) -> str:
    return f"case:{case_id}:image-run:{job_id}:{run}"


def _case_id(job_key: str) -> str:
    return job_key.split(":")[1]


def _item(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in attributes.items() if value is not None}


def _job_attributes(job: Job) -> dict[str, Any]:
    return {
        "pk": _job_key(job.case_id),
        "caseId": job.case_id,
        "jobId": job.job_id,
        "requestDigest": job.request_digest,
        "status": job.status.value,
        "shots": [{"id": s.id, "kind": s.kind.value, "name": s.name, "digest": s.digest} for s in job.shots],
        "createdAt": job.created_at,
        "armedAt": job.armed_at,
        "deadlineAt": job.deadline_at,
        "dueAt": job.due_at,
        "dueShard": _shard(job.case_id) if job.due_at is not None else None,
        "run": job.run,
        "version": job.version,
        "hop": job.hop,
        "claim": job.claim,
        "leaseUntil": job.lease_until,
        "settledAtClaim": job.settled_at_claim,
        "sequence": job.sequence,
        "latency": job.latency,
        "startedAt": job.started_at,
        "completedAt": job.completed_at,
        # Without what all keys of a shot begin with: else they were half of the item.
        "images": {
            shot_id: key.removeprefix(image_prefix(job.case_id, job.job_id, shot_id))
            for shot_id, key in job.images.items()
        },
        "failures": {
            shot_id: {"code": f.code, "message": f.message, "retryable": f.retryable}
            for shot_id, f in job.failures.items()
        },
        "retryCount": job.retry_count,
        "losses": job.losses,
        "revision": job.revision,
        "lastError": job.last_error,
        "costMicroUsd": job.cost_micro_usd,
        "wastedMicroUsd": job.wasted_micro_usd,
        "maxCostMicroUsd": job.max_cost_micro_usd,
        "waitingUntil": job.waiting_until,
        "moves": [[m.at, m.what.value, m.run, m.by] for m in job.moves],
        "movesOmitted": job.moves_omitted,
        "caller": job.caller or None,
        "receiver": job.receiver and {"url": job.receiver.url, "events": [*job.receiver.events]},
    }


def job_from_item(item: Mapping[str, Any]) -> Job:
    """The job in an item of the table, as its stream has it."""
    return _to_job({name: _deserialize(value) for name, value in item.items()})


def _to_job(item: Mapping[str, Any]) -> Job:
    def number(name: str) -> int | None:
        return int(item[name]) if name in item else None

    return Job(
        case_id=item["caseId"],
        job_id=item["jobId"],
        request_digest=item["requestDigest"],
        status=Status(item["status"]),
        shots=tuple(
            JobShot(id=s["id"], kind=ShotKind(s["kind"]), name=s["name"], digest=s["digest"])
            for s in item["shots"]
        ),
        created_at=int(item["createdAt"]),
        armed_at=int(item["armedAt"]),
        deadline_at=int(item["deadlineAt"]),
        due_at=number("dueAt"),
        run=int(item["run"]),
        version=int(item["version"]),
        hop=int(item["hop"]),
        claim=item.get("claim"),
        lease_until=number("leaseUntil"),
        settled_at_claim=int(item["settledAtClaim"]),
        sequence=int(item["sequence"]),
        latency=number("latency"),
        started_at=number("startedAt"),
        completed_at=number("completedAt"),
        images={
            shot_id: name if "/" in name else image_prefix(item["caseId"], item["jobId"], shot_id) + name
            for shot_id, name in item["images"].items()
        },
        failures={shot_id: Failure(**failure) for shot_id, failure in item["failures"].items()},
        retry_count=int(item["retryCount"]),
        losses=int(item["losses"]),
        revision=int(item["revision"]),
        last_error=item.get("lastError"),
        cost_micro_usd=int(item["costMicroUsd"]),
        wasted_micro_usd=int(item["wastedMicroUsd"]),
        max_cost_micro_usd=number("maxCostMicroUsd"),
        waiting_until=number("waitingUntil"),
        moves=tuple(
            Move(at=int(at), what=What(what), run=int(run), by=by)
            for at, what, run, by in item.get("moves", ())
        ),
        moves_omitted=int(item.get("movesOmitted", 0)),
        caller=item.get("caller", ""),
        receiver=_to_receiver(item.get("receiver")),
    )


def _to_receiver(item: Mapping[str, Any] | None) -> Receiver | None:
    if item is None:
        return None
    return Receiver(url=item["url"], events=tuple(CallbackEvent(event) for event in item["events"]))


def _case_attributes(job: Job, case: Case) -> dict[str, Any]:
    # As one JSON string: half the size of a DynamoDB map of many small ones, and never queried.
    shots = [[s.kind.value, s.id, s.name, s.description] for s in case.shots]
    return {
        "pk": _case_key(job),
        "caseId": job.case_id,
        "shots": json.dumps(shots, ensure_ascii=False, separators=(",", ":")),
        "maxCostMicroUsd": case.max_cost_micro_usd,
    }


def _to_case(item: Mapping[str, Any]) -> Case:
    return Case(
        case_id=item["caseId"],
        shots=tuple(
            Shot(kind=ShotKind(kind), id=shot_id, name=name, description=description)
            for kind, shot_id, name, description in json.loads(item["shots"])
        ),
        max_cost_micro_usd=int(item["maxCostMicroUsd"]) if "maxCostMicroUsd" in item else None,
    )


def _run_attributes(log: RunLog) -> dict[str, Any]:
    events = [
        [e.kind.value, e.at, e.milliseconds, e.outcome, e.number, e.shot_id, int(e.hedge), e.cost_micro_usd]
        for e in log.events
    ]
    return {
        "pk": _run_key(log.case_id, log.job_id, log.run),
        "caseId": log.case_id,
        "jobId": log.job_id,
        "run": log.run,
        "sequence": log.sequence,
        "endsAt": log.expires_at,
        "events": json.dumps(events, ensure_ascii=False, separators=(",", ":")),
        "omitted": log.omitted,
    }


def _to_run_log(item: Mapping[str, Any]) -> RunLog:
    return RunLog(
        case_id=item["caseId"],
        job_id=item["jobId"],
        run=int(item["run"]),
        sequence=int(item["sequence"]),
        expires_at=int(item["endsAt"]),
        events=tuple(
            Event(
                kind=EventKind(kind),
                at=at,
                milliseconds=milliseconds,
                outcome=outcome,
                number=number,
                shot_id=shot_id,
                hedge=bool(hedge),
                cost_micro_usd=cost,
            )
            for kind, at, milliseconds, outcome, number, shot_id, hedge, cost in json.loads(item["events"])
        ),
        omitted=int(item["omitted"]),
    )


def _shard(case_id: str) -> str:
    return str(zlib.crc32(case_id.encode()) % SHARDS)
