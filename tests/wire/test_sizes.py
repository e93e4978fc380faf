"""Bounds on the sizes of what is sent and stored, for the largest cases and runs."""

import json
from dataclasses import replace

import pytest
from darkroom.adapters.dynamodb.item_size import MAX_ITEM, check_size, item_size
from darkroom.adapters.dynamodb.items import case_attributes
from darkroom.adapters.dynamodb.table import to_item
from darkroom.domain.case import MAX_SHOTS, Case, Shot, ShotKind
from darkroom.domain.errors import InvalidInput
from darkroom.domain.job import Status
from darkroom.domain.run import EventKind, RunEvent, work_order
from darkroom.domain.snapshot import SnapshotKind
from darkroom.wire.model import dump, parse
from darkroom.wire.order import WorkerEvent
from darkroom.wire.snapshot import ImageProgressUpdate

from bench.usage import largest_case
from bench.usage.dynamodb_units import index_units, read_units, write_units
from bench.usage.largest_case import a_long_case, largest_job, largest_snapshot
from testing.builders import NOW, a_case, a_job, a_snapshot

KB = 1024


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("longest", [False, True])
@pytest.mark.parametrize(("shots", "bound"), [(1, 20), (14, 20), (50, 60), (100, 60)])
def test_the_sizes_of_snapshots_responses_and_callbacks_are_bounded(
    shots: int, bound: int, longest: bool, failed: bool
) -> None:
    found = largest_case.sizes(a_long_case(shots, longest=longest), failed=failed)
    assert {name: size for name, size in found.items() if size > bound * KB} == {}


@pytest.mark.parametrize(("longest", "failed"), [(False, False), (False, True), (True, False)])
def test_the_size_of_the_item_of_a_job_with_fourteen_pictures_is_bounded(longest: bool, failed: bool) -> None:
    job = largest_job(a_long_case(14, longest=longest), failed=failed)
    assert item_size(largest_case.job_item(job)) <= 8 * KB


MAX_EVENT = 1_000_000
"""Maximum bytes of the event of an asynchronous invocation of Lambda."""

MAX_BODY = 262_144
"""Maximum bytes of a body that the webhook accepts."""


def the_largest_case(letter: str) -> Case:
    """Return a case with the longest ids and names, and the longest descriptions that can be stored."""

    def case(letters: int) -> Case:
        shots = (
            Shot(
                id=f"{n:064}",
                kind=ShotKind.LOCATION if n % 3 else ShotKind.EVIDENCE,
                name=letter * 200,
                description=letter * letters,
            )
            for n in range(MAX_SHOTS)
        )
        return Case(case_id="c" * 64, shots=tuple(shots))

    def size(case: Case) -> int:
        return item_size(to_item(case_attributes(a_job(case), case)))

    each = (size(case(2)) - size(case(1))) or 1
    found = case(min(2000, 1 + (MAX_ITEM - 1000 - size(case(1))) // each))
    check_size(to_item(case_attributes(a_job(found), found)))
    return found


@pytest.mark.parametrize("letter", ["e", "\u9375", "\U0001f5dd", "\x01", '"'])
@pytest.mark.parametrize("failed", [False, True])
def test_every_case_that_can_be_stored_fits_into_events_snapshots_and_callbacks(
    letter: str, failed: bool
) -> None:
    case = the_largest_case(letter)
    job = largest_job(case, failed=failed)
    ordered = replace(job, due_at=NOW, status=Status.PENDING)
    event = dump(WorkerEvent.of(work_order(ordered, case, webhook_url=f"{largest_case.API}/{'p' * 200}")))
    assert len(event.encode()) < MAX_EVENT
    check_size(largest_case.job_item(job))
    found = largest_case.sizes(case, failed=failed)
    assert found["callback"] + KB < MAX_ITEM, "a callback is stored in an item of its own"
    assert found["snapshot"] < MAX_BODY


def test_run_events_are_the_same_after_a_round_trip_and_name_each_shot_once() -> None:
    case = a_long_case(3, longest=True)
    sent = RunEvent(kind=EventKind.SNAPSHOT, at=NOW, milliseconds=80, outcome="delivered", number=1)
    worst_one = largest_snapshot(case, failed=True)
    snapshot = replace(worst_one, events=(sent, *worst_one.events[1:]))
    text = dump(ImageProgressUpdate.of(snapshot))
    assert parse(ImageProgressUpdate, text.encode()).to_snapshot() == snapshot
    assert json.loads(text)["log"]["shots"] == [case.shots[n].id for n in (1, 2, 0)]


def test_run_events_that_refer_to_a_missing_shot_are_refused() -> None:
    body = json.loads(dump(ImageProgressUpdate.of(largest_snapshot(a_case(), failed=True))))
    body["log"]["shots"].pop()
    with pytest.raises(InvalidInput) as caught:
        parse(ImageProgressUpdate, json.dumps(body).encode()).to_snapshot()
    assert [error.field for error in caught.value.errors] == ["log.events"]


def test_a_snapshot_of_an_older_worker_is_accepted_without_its_events() -> None:
    snapshot = a_snapshot(a_case(), SnapshotKind.PROGRESS, 2, done=("evidence-1",))
    body = json.loads(dump(ImageProgressUpdate.of(snapshot)))
    assert "log" not in body
    body["events"] = [{"kind": "attempt", "at": NOW, "milliseconds": 1, "outcome": "made", "attempt": 1}]
    assert parse(ImageProgressUpdate, json.dumps(body).encode()).to_snapshot() == snapshot


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
