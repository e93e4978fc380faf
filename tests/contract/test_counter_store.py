"""The promises of CounterStore, kept by the fake and by DynamoDB."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.counters import DynamoDBCounters
from darkroom.domain.metrics import HOUR, Count, Tally, Totals, Window, bucket
from darkroom.ports import CounterStore
from moto import mock_aws

from testing.builders import NOW, a_job
from testing.fakes.counters import MemoryCounters
from testing.tables import TABLE, create_table

ENDED = Tally(counts={Count.COMPLETED: 14, Count.COST: 470_400}, generation=22_000, webhook=80)
STARTED = Tally(counts={Count.CASES: 1, Count.REQUESTED: 14})


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[CounterStore]:
    if request.param == "fake":
        yield MemoryCounters()
        return
    with mock_aws():
        create_table(clients.dynamodb())
        yield DynamoDBCounters(clients.dynamodb(), TABLE)


def test_counts_add_up_in_every_window(store: CounterStore) -> None:
    for number in range(10):
        job = a_job(job_id=f"job-{number}")
        assert store.add(job, STARTED, at=NOW - 1000)
        assert store.add(replace(job, version=2), ENDED, at=NOW)
    for window in Window:
        totals = store.totals(window, now=NOW)
        assert totals.counts == {
            Count.CASES: 10,
            Count.REQUESTED: 140,
            Count.COMPLETED: 140,
            Count.COST: 4_704_000,
        }
        assert totals.generation == {bucket(22_000): 10}
        assert totals.webhook == {bucket(80): 10}


def test_a_version_counts_once(store: CounterStore) -> None:
    assert store.add(a_job(), STARTED, at=NOW)
    assert not store.add(a_job(), STARTED, at=NOW)
    assert not store.add(a_job(), ENDED, at=NOW + HOUR)
    assert store.totals(Window.DAY, now=NOW + HOUR).counts[Count.CASES] == 1


def test_counts_older_than_the_window_are_not_in_it(store: CounterStore) -> None:
    store.add(a_job(), STARTED, at=NOW)
    assert store.totals(Window.HOUR, now=NOW + HOUR // 2).counts[Count.CASES] == 1
    assert store.totals(Window.HOUR, now=NOW + 2 * HOUR) == Totals()
    assert store.totals(Window.DAY, now=NOW + 23 * HOUR).counts[Count.CASES] == 1
    assert store.totals(Window.DAY, now=NOW + 26 * HOUR) == Totals()
    assert store.totals(Window.WEEK, now=NOW + 167 * HOUR).counts[Count.CASES] == 1


def test_totals_are_empty_before_anything_is_counted(store: CounterStore) -> None:
    assert store.totals(Window.WEEK, now=NOW) == Totals()


def test_the_same_change_seen_many_times_at_once_counts_once(store: CounterStore) -> None:
    counted: list[bool] = []
    threads = [
        threading.Thread(target=lambda: counted.append(store.add(a_job(), STARTED, at=NOW))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [False] * 5 + [True]
    assert store.totals(Window.HOUR, now=NOW).counts[Count.CASES] == 1


@mock_aws
def test_everything_counted_expires() -> None:
    create_table(clients.dynamodb())
    DynamoDBCounters(clients.dynamodb(), TABLE).add(a_job(), STARTED, at=NOW)
    items = clients.dynamodb().scan(TableName=TABLE)["Items"]
    assert len(items) == 3
    assert all(NOW // 1000 < int(item["expiresAt"]["N"]) < NOW // 1000 + 10 * 86_400 for item in items)
