"""What is sent and stored stays small, also of the worst run there can be."""

import json
from dataclasses import replace

import pytest
from darkroom.adapters.item_size import item_size
from darkroom.domain.errors import InvalidInput
from darkroom.domain.history import Event, EventKind
from darkroom.domain.progress import SnapshotKind
from darkroom.wire.messages import ImageProgressUpdate
from darkroom.wire.model import dump, parse

from bench import worst
from bench.dynamodb import index_units, read_units, write_units
from bench.worst import a_wordy_case, the_worst_job, the_worst_snapshot
from tests.builders import NOW, a_case, a_snapshot

KB = 1024


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("longest", [False, True])
@pytest.mark.parametrize(("shots", "bound"), [(1, 20), (14, 20), (50, 60), (100, 60)])
def test_snapshots_answers_and_callbacks_are_bounded(
    shots: int, bound: int, longest: bool, failed: bool
) -> None:
    found = worst.sizes(a_wordy_case(shots, longest=longest), failed=failed)
    assert {name: size for name, size in found.items() if size > bound * KB} == {}


@pytest.mark.parametrize(("longest", "failed"), [(False, False), (False, True), (True, False)])
def test_the_item_of_a_job_of_fourteen_is_bounded(longest: bool, failed: bool) -> None:
    job = the_worst_job(a_wordy_case(14, longest=longest), failed=failed)
    assert item_size(worst.job_item(job)) <= 8 * KB


def test_a_log_survives_the_journey_and_names_each_shot_once() -> None:
    case = a_wordy_case(3, longest=True)
    sent = Event(kind=EventKind.SNAPSHOT, at=NOW, milliseconds=80, outcome="delivered", number=1)
    worst_one = the_worst_snapshot(case, failed=True)
    snapshot = replace(worst_one, events=(sent, *worst_one.events[1:]))
    text = dump(ImageProgressUpdate.of(snapshot))
    assert parse(ImageProgressUpdate, text.encode()).to_snapshot() == snapshot
    assert json.loads(text)["log"]["shots"] == [case.shots[n].id for n in (1, 2, 0)]


def test_a_log_that_means_a_shot_it_does_not_name_is_refused() -> None:
    body = json.loads(dump(ImageProgressUpdate.of(the_worst_snapshot(a_case(), failed=True))))
    body["log"]["shots"].pop()
    with pytest.raises(InvalidInput) as caught:
        parse(ImageProgressUpdate, json.dumps(body).encode()).to_snapshot()
    assert [error.field for error in caught.value.errors] == ["log.events"]


def test_a_worker_of_before_the_log_is_understood_without_its_events() -> None:
    snapshot = a_snapshot(a_case(), SnapshotKind.PROGRESS, 2, done=("evidence-1",))
    body = json.loads(dump(ImageProgressUpdate.of(snapshot)))
    assert "log" not in body
    body["events"] = [{"kind": "try", "at": NOW, "milliseconds": 1, "outcome": "made", "attempt": 1}]
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
