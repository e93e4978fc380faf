"""What is sent and stored stays small, also of the worst run there can be."""

import json
from dataclasses import replace

import pytest
from boto3.dynamodb.types import TypeSerializer
from darkroom.adapters.dynamodb_jobs import _job_attributes
from darkroom.adapters.image_links import ImageLinks
from darkroom.domain.case import Case, Shot, ShotKind, image_key
from darkroom.domain.errors import InvalidInput
from darkroom.domain.history import MAX_EVENTS, MAX_MOVES, Event, EventKind, Move, What
from darkroom.domain.job import Failure, Job, Status
from darkroom.domain.progress import Snapshot, SnapshotKind
from darkroom.domain.receivers import CallbackEvent, Receiver
from darkroom.wire.callbacks import CallbackMessage
from darkroom.wire.calls import JobView
from darkroom.wire.messages import ImageProgressUpdate
from darkroom.wire.model import dump, parse

from bench.dynamodb import index_units, item_size, read_units, write_units
from tests.builders import NOW, a_case, a_job, a_snapshot, keys_of

KB = 1024
JOB_ID = "0f8fad5bd9cb469fa16570867728950e"
CALLER = "the-back-end-of-the-game"
API = "https://abcdefghij.execute-api.us-east-1.amazonaws.com"
# The longest that an adapter can say of a shot: our own words, a status and a word of 64 letters.
FAILURE = Failure(
    code="retries_exhausted",
    message=f"the provider does not accept the request: 400 {'F' * 64}",
    retryable=False,
)


def a_wordy_case(shots: int, *, longest: bool) -> Case:
    """With ids and names as games have them, or as long as they may be."""

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


def the_worst_events(case: Case) -> tuple[Event, ...]:
    """As many as are told, each with all that an event can have; no shot is left out."""
    return tuple(
        Event(
            kind=EventKind.TRY,
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


def the_worst_snapshot(case: Case, *, failed: bool) -> Snapshot:
    keys = {s.id: image_key(case.case_id, JOB_ID, s, 100) for s in case.shots}
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
        events=the_worst_events(case),
        events_omitted=100_000,
    )


def the_worst_job(case: Case, *, failed: bool) -> Job:
    snapshot = the_worst_snapshot(case, failed=failed)
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
        moves=tuple(Move(at=NOW + n, what=What.SUBMITTED, run=100, by=CALLER) for n in range(MAX_MOVES)),
        moves_omitted=100,
        caller=CALLER,
        receiver=Receiver(url="https://game.example/hooks/images", events=tuple(CallbackEvent)),
    )


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("longest", [False, True])
@pytest.mark.parametrize(("shots", "bound"), [(1, 20), (14, 20), (50, 60), (100, 60)])
def test_snapshots_answers_and_callbacks_are_bounded(
    shots: int, bound: int, longest: bool, failed: bool
) -> None:
    case = a_wordy_case(shots, longest=longest)
    job, links = the_worst_job(case, failed=failed), ImageLinks(lambda: "secret")

    def link(shot_id: str) -> str:
        return links.link(job, shot_id, base_url=API)

    texts = {
        "snapshot": dump(ImageProgressUpdate.of(the_worst_snapshot(case, failed=failed))),
        "answer": dump(JobView.of(job, link)),
        "callback": CallbackMessage.body(CallbackEvent.PROGRESS, job, NOW, link),
    }
    sizes = {name: len(text.encode()) / KB for name, text in texts.items()}
    assert {name: size for name, size in sizes.items() if size > bound} == {}


@pytest.mark.parametrize("failed", [False, True])
def test_the_item_of_a_job_of_fourteen_is_bounded(failed: bool) -> None:
    attributes = _job_attributes(the_worst_job(a_wordy_case(14, longest=False), failed=failed))
    serialize = TypeSerializer().serialize
    item = {name: serialize(value) for name, value in attributes.items() if value is not None}
    assert item_size(item) <= 8 * KB


def test_a_log_survives_the_journey_and_names_each_shot_once() -> None:
    case = a_wordy_case(3, longest=True)
    sent = Event(kind=EventKind.SNAPSHOT, at=NOW, milliseconds=80, outcome="delivered", number=1)
    snapshot = replace(the_worst_snapshot(case, failed=True), events=(sent, *the_worst_events(case)[1:]))
    text = dump(ImageProgressUpdate.of(snapshot))
    assert parse(ImageProgressUpdate, text.encode()).to_snapshot() == snapshot
    assert json.loads(text)["log"]["shots"] == [case.shots[n].id for n in (1, 2, 0)]


def test_a_log_that_means_a_shot_it_does_not_name_is_refused() -> None:
    body = json.loads(dump(ImageProgressUpdate.of(the_worst_snapshot(a_case(), failed=True))))
    body["log"]["shots"].pop()
    with pytest.raises(InvalidInput) as caught:
        parse(ImageProgressUpdate, json.dumps(body).encode()).to_snapshot()
    assert [error.field for error in caught.value.errors] == ["log.events"]


def test_a_worker_that_tells_no_log_is_understood() -> None:
    snapshot = a_snapshot(a_case(), SnapshotKind.PROGRESS, 2, done=tuple(keys_of(a_case(), "evidence-1")))
    assert "log" not in json.loads(dump(ImageProgressUpdate.of(snapshot)))


def test_sizes_are_those_of_the_developer_guide() -> None:
    assert item_size({"pk": {"S": "é"}}) == 2 + 2
    assert [item_size({"n": {"N": n}}) for n in ("0", "7", "-123", "1200", "12.5")] == [2, 3, 4, 3, 4]
    assert item_size({"l": {"L": [{"BOOL": True}, {"S": "ab"}]}}) == 1 + 3 + (1 + 1) + (1 + 2)
    assert item_size({"m": {"M": {"a": {"N": "1"}}}}) == 1 + 3 + (1 + 1 + 2)


def test_units_are_those_of_the_developer_guide() -> None:
    small, large = {"pk": {"S": "x"}}, {"pk": {"S": "x" * 1500}}
    assert write_units(None, small) == 1
    assert write_units(large, small) == 2
    assert write_units(None, large, transaction=True) == 4
    assert (read_units(0), read_units(4096, consistent=True), read_units(4097, transaction=True)) == (
        0.5,
        1,
        4,
    )
    due = {**small, "dueShard": {"S": "1"}, "dueAt": {"N": "5"}}
    later = {**due, "dueAt": {"N": "6"}}
    assert [index_units(*pair) for pair in ((None, due), (due, due), (due, later), (later, small))] == [
        1,
        0,
        2,
        1,
    ]
