"""The items of jobs, of their cases and of their runs' logs: keys and attributes."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from darkroom.adapters.dynamodb.table import OF_EVERY_ITEM, Item, from_item, reading, unknown
from darkroom.domain.case import Case, Shot, ShotKind, image_prefix
from darkroom.domain.history import Action, HistoryEntry
from darkroom.domain.job import Failure, Job, JobShot, Status
from darkroom.domain.losses import NO_GHOSTS, Ghosts, LossReason, Suspicion
from darkroom.domain.receivers import CallbackEvent, Receiver
from darkroom.domain.run import EventKind, RunEvent, RunLog
from darkroom.domain.words import word

SHARDS = 8
"""Shards of jobs in the index of what is due."""

_JOB_KEY = "case:{}:image-job"


def job_key(case_id: str) -> str:
    """Return the key of the job of a case."""
    return _JOB_KEY.format(case_id)


def case_key(job: Job) -> str:
    """Return the key of the case that the current run of `job` is made from."""
    return f"case:{job.case_id}:image-request:{job.job_id}:{job.revision}"


def run_key(case_id: str, job_id: str, run: int) -> str:
    """Return the key of a run's log."""
    return f"case:{case_id}:image-run:{job_id}:{run}"


def case_id_of(job_key: str) -> str:
    """Return the id of the case whose job has this key."""
    return job_key.split(":")[1]


def job_attributes(job: Job) -> Item:
    """Return the item of `job`."""
    return {**job.unknown, **_job_attributes(job)}


def _job_attributes(job: Job) -> Item:
    return {
        "pk": job_key(job.case_id),
        "caseId": job.case_id,
        "jobId": job.job_id,
        "requestDigest": job.request_digest,
        "status": job.status.value,
        "shots": [
            {**s.unknown, "id": s.id, "kind": str(s.kind), "name": s.name, "digest": s.digest}
            for s in job.shots
        ],
        "createdAt": job.created_at,
        "scheduledAt": job.scheduled_at,
        "deadlineAt": job.deadline_at,
        "dueAt": job.next_look_at,
        "dueShard": due_shard(job.case_id) if job.next_look_at is not None else None,
        "runDueAt": job.due_at,
        "run": job.run,
        "version": job.version,
        "hop": job.hop,
        "claim": job.claim,
        "requestId": job.request_id,
        "leaseUntil": job.lease_until,
        "settledAtClaim": job.settled_at_claim,
        "sequence": job.sequence,
        "latency": job.latency,
        "startedAt": job.started_at,
        "completedAt": job.completed_at,
        # Without the prefix that all keys of a shot share: the prefixes would be half of the item.
        "images": {
            shot_id: key.removeprefix(image_prefix(job.case_id, job.job_id, shot_id))
            for shot_id, key in job.images.items()
        },
        "failures": {
            shot_id: {**f.unknown, "code": f.code, "message": f.message, "retryable": f.retryable}
            for shot_id, f in job.failures.items()
        },
        "retryCount": job.retry_count,
        "lostRuns": job.lost_runs,
        "memoryLosses": job.memory_losses or None,
        "processing": job.processing,
        "suspicion": job.suspicion and [job.suspicion.at, str(job.suspicion.reason)],
        "ghosts": _ghosts(job.ghosts),
        "recoveries": job.recoveries or None,
        "failedStarts": job.failed_starts or None,
        "revision": job.revision,
        "revisionUntil": job.revision_until,
        "callerRetries": job.caller_retries,
        "guestRetries": job.guest_retries or None,
        "wastedAtRetry": job.wasted_at_retry or None,
        "lastError": job.last_error,
        "costMicroUsd": job.cost_micro_usd,
        "wastedMicroUsd": job.wasted_micro_usd,
        "maxCostMicroUsd": job.max_cost_micro_usd,
        "priceMicroUsd": job.price_micro_usd,
        "waitingUntil": job.waiting_until,
        "history": [[m.at, str(m.action), m.run, m.by, *m.more] for m in job.history],
        "historyOmitted": job.history_omitted,
        "caller": job.caller or None,
        "salt": job.salt,
        "receiver": job.receiver and _receiver_attributes(job.receiver),
    }


def job_from_item(item: Mapping[str, Any]) -> Job:
    """Return the job in an item that the table's stream sent."""
    return to_job(from_item(item))


def to_job(item: Mapping[str, Any]) -> Job:
    """Return the job in an item; raise Unreadable."""
    with reading(item["pk"]):
        job = _to_job(item)
        return replace(job, unknown=unknown(item, (*_job_attributes(job), *OF_EVERY_ITEM)))


def _to_job(item: Mapping[str, Any]) -> Job:
    shots = tuple(
        JobShot(
            id=s["id"],
            kind=word(ShotKind, s["kind"]),
            name=s["name"],
            digest=s["digest"],
            unknown=unknown(s, ("id", "kind", "name", "digest")),
        )
        for s in item["shots"]
    )
    history = tuple(
        HistoryEntry(at=at, action=word(Action, action), run=run, by=by, more=tuple(more))
        for at, action, run, by, *more in item.get("history", ())
    )
    return Job(
        case_id=item["caseId"],
        job_id=item["jobId"],
        request_digest=item["requestDigest"],
        status=Status(item["status"]),
        shots=shots,
        created_at=item["createdAt"],
        scheduled_at=item["scheduledAt"],
        deadline_at=item["deadlineAt"],
        due_at=item.get("runDueAt"),
        run=item["run"],
        version=item["version"],
        hop=item["hop"],
        claim=item.get("claim"),
        request_id=item.get("requestId"),
        lease_until=item.get("leaseUntil"),
        settled_at_claim=item["settledAtClaim"],
        sequence=item["sequence"],
        latency=item.get("latency"),
        started_at=item.get("startedAt"),
        completed_at=item.get("completedAt"),
        images={
            shot_id: name if "/" in name else image_prefix(item["caseId"], item["jobId"], shot_id) + name
            for shot_id, name in item["images"].items()
        },
        failures={shot_id: _to_failure(failure) for shot_id, failure in item["failures"].items()},
        retry_count=item["retryCount"],
        lost_runs=item["lostRuns"],
        memory_losses=item.get("memoryLosses", 0),
        processing=item.get("processing"),
        suspicion=_to_suspicion(item.get("suspicion")),
        ghosts=_to_ghosts(item.get("ghosts")),
        recoveries=item.get("recoveries", 0),
        failed_starts=item.get("failedStarts", 0),
        revision=item["revision"],
        revision_until=item.get("revisionUntil", 0),
        caller_retries=item.get("callerRetries", 0),
        guest_retries=item.get("guestRetries", 0),
        wasted_at_retry=item.get("wastedAtRetry", 0),
        last_error=item.get("lastError"),
        cost_micro_usd=item["costMicroUsd"],
        wasted_micro_usd=item["wastedMicroUsd"],
        max_cost_micro_usd=item.get("maxCostMicroUsd"),
        price_micro_usd=item.get("priceMicroUsd", 0),
        waiting_until=item.get("waitingUntil"),
        history=history,
        history_omitted=item.get("historyOmitted", 0),
        caller=item.get("caller", ""),
        salt=item.get("salt", ""),
        receiver=_to_receiver(item.get("receiver")),
    )


def _to_receiver(item: Mapping[str, Any] | None) -> Receiver | None:
    if item is None:
        return None
    return Receiver(
        url=item["url"],
        events=tuple(word(CallbackEvent, event) for event in item["events"]),
        unknown=unknown(item, ("url", "events")),
    )


def _receiver_attributes(receiver: Receiver) -> Item:
    return {**receiver.unknown, "url": receiver.url, "events": [str(event) for event in receiver.events]}


def _to_failure(item: Mapping[str, Any]) -> Failure:
    return Failure(
        code=item["code"],
        message=item["message"],
        retryable=item["retryable"],
        unknown=unknown(item, ("code", "message", "retryable")),
    )


def _to_suspicion(item: Sequence[Any] | None) -> Suspicion | None:
    if item is None:
        return None
    at, reason = item[:2]
    return Suspicion(at=at, reason=word(LossReason, reason))


def _ghosts(ghosts: Ghosts) -> Item | None:
    if ghosts == NO_GHOSTS:
        return None
    return {
        "until": ghosts.until,
        "firstRun": ghosts.first_run,
        "costMicroUsd": ghosts.cost_micro_usd,
        "wastedMicroUsd": ghosts.wasted_micro_usd,
    }


def _to_ghosts(item: Mapping[str, Any] | None) -> Ghosts:
    if item is None:
        return NO_GHOSTS
    return Ghosts(
        until=item.get("until"),
        first_run=item["firstRun"],
        cost_micro_usd=item["costMicroUsd"],
        wasted_micro_usd=item["wastedMicroUsd"],
    )


def case_attributes(job: Job, case: Case) -> Item:
    """Return the item of the case that `job` is made from."""
    # One JSON string has half the size of many small DynamoDB maps, and nothing in it is queried.
    shots = [[str(s.kind), s.id, s.name, s.description, *s.more] for s in case.shots]
    return {
        **case.unknown,
        "pk": case_key(job),
        "caseId": job.case_id,
        "shots": json.dumps(shots, ensure_ascii=False, separators=(",", ":")),
        "maxCostMicroUsd": case.max_cost_micro_usd,
    }


def to_case(item: Mapping[str, Any]) -> Case:
    """Return the case in an item; raise Unreadable."""
    with reading(item["pk"]):
        shots = tuple(
            Shot(
                kind=word(ShotKind, kind),
                id=shot_id,
                name=name,
                description=description,
                more=tuple(more),
            )
            for kind, shot_id, name, description, *more in json.loads(item["shots"])
        )
        return Case(
            case_id=item["caseId"],
            shots=shots,
            max_cost_micro_usd=item.get("maxCostMicroUsd"),
            unknown=unknown(item, ("caseId", "shots", "maxCostMicroUsd", *OF_EVERY_ITEM)),
        )


def run_attributes(log: RunLog) -> Item:
    """Return the item of a run's log."""
    events = [
        [str(e.kind), e.at, e.milliseconds, e.outcome, e.number, e.shot_id, int(e.hedge), e.cost_micro_usd]
        for e in log.events
    ]
    return {
        "pk": run_key(log.case_id, log.job_id, log.run),
        "caseId": log.case_id,
        "jobId": log.job_id,
        "run": log.run,
        "sequence": log.sequence,
        "endsAt": log.expires_at,
        "events": json.dumps(events, ensure_ascii=False, separators=(",", ":")),
        "omitted": log.omitted,
    }


def to_run_log(item: Mapping[str, Any]) -> RunLog:
    """Return the run's log in an item; raise Unreadable."""
    with reading(item["pk"]):
        return _to_run_log(item)


def _to_run_log(item: Mapping[str, Any]) -> RunLog:
    events = tuple(
        RunEvent(
            kind=word(EventKind, kind),
            at=at,
            milliseconds=milliseconds,
            outcome=outcome,
            number=number,
            shot_id=shot_id,
            hedge=bool(hedge),
            cost_micro_usd=cost,
        )
        for kind, at, milliseconds, outcome, number, shot_id, hedge, cost, *_ in json.loads(item["events"])
    )
    return RunLog(
        case_id=item["caseId"],
        job_id=item["jobId"],
        run=item["run"],
        sequence=item["sequence"],
        expires_at=item["endsAt"],
        events=events,
        omitted=item["omitted"],
    )


def due_shard(case_id: str) -> str:
    """Return the shard of the index of what is due that holds the job of a case."""
    return str(zlib.crc32(case_id.encode()) % SHARDS)
