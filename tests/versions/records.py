"""The records of this release: what it stores and sends, with fixed contents.

`python -m tests.versions.records` writes them to the folder of the version. Do that only before the version
is released: a released folder never changes, and every later release reads it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from darkroom.adapters.dynamodb.items import (
    case_attributes,
    job_attributes,
    job_from_item,
    run_attributes,
    to_case,
    to_run_log,
)
from darkroom.adapters.dynamodb.table import from_item, to_item
from darkroom.domain.history import Action, HistoryEntry
from darkroom.domain.job import Failure, Job, Status
from darkroom.domain.losses import Ghosts, LossReason, Suspicion
from darkroom.domain.receivers import Receiver
from darkroom.domain.run import EventKind, RunEvent, RunLog, WorkOrder, work_order
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.wire.model import dump, parse
from darkroom.wire.order import WorkerEvent
from darkroom.wire.snapshot import ImageProgressUpdate

from testing.builders import NOW, PRICE, a_case, a_job, a_snapshot, keys_of
from testing.template import RESOURCES

FOLDER = Path(__file__).parent
VERSION = "0.1.0"
CASE = a_case(evidence=2, locations=1)


def a_recorded_job() -> Job:
    """Return a job that has a value in every attribute."""
    return replace(
        a_job(CASE),
        status=Status.GENERATING,
        run=3,
        version=9,
        hop=1,
        claim="claim-3",
        request_id="request-3",
        lease_until=NOW + 330_000,
        due_at=NOW + 25_000,
        sequence=4,
        latency=12,
        settled_at_claim=1,
        started_at=NOW + 1,
        images=keys_of(CASE, "evidence-1"),
        failures={"evidence-2": Failure(code="refused", message="no", retryable=False)},
        retry_count=2,
        lost_runs=1,
        memory_losses=1,
        processing="location-1",
        suspicion=Suspicion(at=NOW + 2, reason=LossReason.MEMORY),
        ghosts=Ghosts(until=NOW + 300_000, first_run=2, cost_micro_usd=PRICE, wasted_micro_usd=1),
        recoveries=1,
        failed_starts=1,
        revision=1,
        caller_retries=1,
        guest_retries=1,
        wasted_at_retry=1,
        last_error="a worker was lost, another takes over",
        cost_micro_usd=2 * PRICE,
        wasted_micro_usd=PRICE,
        max_cost_micro_usd=20 * PRICE,
        price_micro_usd=PRICE,
        history=(
            HistoryEntry(at=NOW, action=Action.SUBMITTED, run=1, by="game"),
            HistoryEntry(at=NOW + 2, action=Action.SUSPECTED, run=3, by="recovery"),
        ),
        caller="game",
        receiver=Receiver(url="https://game.example/hook"),
    )


EVENTS = (
    RunEvent(
        kind=EventKind.ATTEMPT,
        at=NOW,
        milliseconds=8_000,
        outcome="made",
        number=1,
        shot_id="evidence-1",
        cost_micro_usd=PRICE,
    ),
)


def a_recorded_log() -> RunLog:
    return RunLog(
        case_id="case-1", job_id="job-1", run=3, sequence=4, expires_at=NOW + 86_400_000, events=EVENTS
    )


def a_recorded_order() -> WorkOrder:
    pending = replace(a_recorded_job(), status=Status.PENDING)
    return work_order(pending, CASE, webhook_url="https://api.example/hook")


def a_recorded_snapshot(kind: SnapshotKind) -> Snapshot:
    done = tuple(shot.id for shot in CASE.shots) if kind is SnapshotKind.END else ("evidence-1",)
    return replace(
        a_snapshot(CASE, kind, 2, done=done, run=3, claim="claim-3", cost=PRICE),
        request_id="request-3" if kind is SnapshotKind.CLAIM else None,
        processing="location-1" if kind is SnapshotKind.PROGRESS else None,
        waiting_until=NOW + 90_000 if kind is SnapshotKind.CONTINUE else None,
        sent_at=NOW,
        events=EVENTS,
    )


def table() -> dict[str, Any]:
    """Return the keys and indexes of the table."""
    properties = RESOURCES["JobsTable"]["Properties"]
    return {name: properties[name] for name in ("KeySchema", "GlobalSecondaryIndexes")}


def written() -> dict[str, Any]:
    """Return the records as this release writes them."""
    snapshots = {
        f"snapshot-{kind}": json.loads(dump(ImageProgressUpdate.of(a_recorded_snapshot(kind))))
        for kind in SnapshotKind
    }
    return {
        "job": to_item(job_attributes(a_recorded_job())),
        "case": to_item(case_attributes(a_recorded_job(), CASE)),
        "run-log": to_item(run_attributes(a_recorded_log())),
        "order": json.loads(dump(WorkerEvent.of(a_recorded_order()))),
        "table": table(),
        **snapshots,
    }


def _snapshot(record: Mapping[str, Any]) -> Snapshot:
    return parse(ImageProgressUpdate, json.dumps(record).encode()).to_snapshot()


READERS: Mapping[str, Callable[[Any], object]] = {
    "job": job_from_item,
    "case": lambda record: to_case(from_item(record)),
    "run-log": lambda record: to_run_log(from_item(record)),
    "order": lambda record: parse(WorkerEvent, record).to_order(),
    **{f"snapshot-{kind}": _snapshot for kind in SnapshotKind},
}
"""What reads each record."""


def read(version: str, name: str) -> Any:
    """Return a record of a release."""
    return json.loads((FOLDER / version / f"{name}.json").read_text())


def write() -> None:
    """Write the records of this release."""
    folder = FOLDER / VERSION
    folder.mkdir(exist_ok=True)
    for name, record in written().items():
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    write()
