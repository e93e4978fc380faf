"""Build the largest possible case: its snapshot, its job and its messages when everything goes wrong."""

from collections.abc import Mapping
from dataclasses import replace

from darkroom.adapters.dynamodb.items import job_attributes
from darkroom.adapters.dynamodb.table import to_item
from darkroom.adapters.signing.image_links import ImageLinks
from darkroom.domain.case import Case, Shot, ShotKind, image_key
from darkroom.domain.history import MAX_HISTORY, Action, HistoryEntry
from darkroom.domain.job import Failure, Job, Status
from darkroom.domain.receivers import CallbackEvent, Receiver
from darkroom.domain.run import MAX_EVENTS, EventKind, RunEvent
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.wire.callbacks import CallbackMessage
from darkroom.wire.job import JobView
from darkroom.wire.model import dump
from darkroom.wire.snapshot import ImageProgressUpdate

from bench.usage.dynamodb_units import Item
from testing.builders import NOW, a_job

JOB_ID = "0f8fad5bd9cb469fa16570867728950e"
CALLER = "the-back-end-of-the-game"
API = "https://abcdefghij.execute-api.us-east-1.amazonaws.com"
# The longest message of an adapter: our own words, a status and a word of 64 letters.
FAILURE = Failure(
    code="retries_exhausted",
    message=f"the provider does not accept the request: 400 {'F' * 64}",
    retryable=False,
)


def a_long_case(shots: int, *, longest: bool) -> Case:
    """Return a case with ids and names of usual length, or as long as they may be."""

    def shot(kind: ShotKind, n: int) -> Shot:
        identity, name = f"{kind}-{n}", f"{kind.capitalize()} no {n}: a stopped watch"
        if longest:
            identity, name = identity.ljust(64, "x"), name.ljust(200, "x")
        return Shot(id=identity, kind=kind, name=name, description="old and dusty")

    locations = shots * 4 // 14
    return Case(
        case_id="c" * 64 if longest else "the-drowned-clockmaker",
        shots=(
            *(shot(ShotKind.EVIDENCE, n) for n in range(shots - locations)),
            *(shot(ShotKind.LOCATION, n) for n in range(locations)),
        ),
    )


def _events(case: Case) -> tuple[RunEvent, ...]:
    """Return as many events as a snapshot may have, each with every field, for every shot."""
    return tuple(
        RunEvent(
            kind=EventKind.ATTEMPT,
            at=NOW + n,
            milliseconds=60_000,
            outcome="deadline_exceeded",
            number=20,
            shot_id=case.shots[n % len(case.shots)].id,
            hedge=True,
            cost_micro_usd=211_000,
        )
        for n in range(MAX_EVENTS)
    )


def largest_snapshot(case: Case, *, failed: bool) -> Snapshot:
    """Return the last snapshot of a run with many attempts."""
    keys = {s.id: image_key(case.case_id, JOB_ID, s.id, digest="0" * 16, run=100) for s in case.shots}
    made = {s.id: keys[s.id] for s in case.shots if not failed}
    return Snapshot(
        case_id=case.case_id,
        job_id=JOB_ID,
        run=100,
        claim=JOB_ID,
        sequence=1000,
        kind=SnapshotKind.END,
        total=len(case.shots),
        evidence_images={s.id: made[s.id] for s in case.shots if s.kind is ShotKind.EVIDENCE and made},
        location_images={s.id: made[s.id] for s in case.shots if s.kind is ShotKind.LOCATION and made},
        failures={s.id: FAILURE for s in case.shots} if failed else {},
        cost_micro_usd=211_000_000,
        wasted_micro_usd=211_000_000,
        sent_at=NOW,
        events=_events(case),
        events_omitted=100_000,
    )


def largest_job(case: Case, *, failed: bool) -> Job:
    """Return a job with every field set, after many runs."""
    snapshot = largest_snapshot(case, failed=failed)
    return replace(
        a_job(case, job_id=JOB_ID),
        status=Status.PARTIAL,
        run=100,
        version=10_000,
        claim=JOB_ID,
        sequence=1000,
        latency=1234,
        started_at=NOW + 1,
        completed_at=NOW + 2,
        images=snapshot.images,
        failures=snapshot.failures,
        last_error=FAILURE.message,
        cost_micro_usd=211_000_001,
        wasted_micro_usd=211_000_001,
        max_cost_micro_usd=211_000_001,
        waiting_until=NOW + 3,
        history=tuple(
            HistoryEntry(at=NOW + n, action=Action.SUBMITTED, run=100, by=CALLER) for n in range(MAX_HISTORY)
        ),
        history_omitted=100,
        caller=CALLER,
        salt=JOB_ID,
        receiver=Receiver(url="https://game.example/hooks/images", events=tuple(CallbackEvent)),
    )


def sizes(case: Case, *, failed: bool) -> Mapping[str, int]:
    """Return the bytes of the largest snapshot, response and callback."""
    job = largest_job(case, failed=failed)
    link = ImageLinks(lambda: "secret").of(job, base_url=API)
    texts = {
        "snapshot": dump(ImageProgressUpdate.of(largest_snapshot(case, failed=failed))),
        "response": dump(JobView.of(job, link)),
        "callback": CallbackMessage.body(CallbackEvent.PROGRESS, job, NOW, link),
    }
    return {name: len(text.encode()) for name, text in texts.items()}


def job_item(job: Job) -> Item:
    """Return the job's item in the table."""
    return to_item(job_attributes(job))
