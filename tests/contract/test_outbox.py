"""The promises of Outbox, kept by the fake and by DynamoDB."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.domain.callbacks import DeliveryState, ReceiverResponse
from darkroom.domain.errors import Contention, DeliveryNotFound
from darkroom.ports import Outbox
from moto import mock_aws

from testing.builders import NOW, a_job
from testing.deliveries import a_delivery
from testing.fakes.callbacks import MemoryOutbox
from testing.tables import TABLE, create_table


@pytest.fixture(params=["fake", "dynamodb"])
def outbox(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    if request.param == "fake":
        yield MemoryOutbox()
        return
    with mock_aws():
        create_table(clients.dynamodb())
        yield DynamoDBOutbox(clients.dynamodb(), TABLE)


def test_a_delivery_is_added_once_and_read_back_whole(outbox: Outbox) -> None:
    full = a_delivery(
        url="https://game.example/«x»",
        attempts=3,
        last_status=503,
        last_error="x",
        milliseconds=7,
        state=DeliveryState.GIVEN_UP,
    )
    assert outbox.add(full)
    assert not outbox.add(a_delivery())
    assert outbox.get(*full.key) == full


def test_an_unknown_delivery_is_not_found(outbox: Outbox) -> None:
    with pytest.raises(DeliveryNotFound):
        outbox.get("case-1", "job-1", 9)


def test_the_second_of_two_attempts_of_a_delivery_loses(outbox: Outbox) -> None:
    first = a_delivery()
    outbox.add(first)
    begun = first.start_attempt(NOW)
    outbox.save(begun, over=first)
    with pytest.raises(Contention):
        outbox.save(begun, over=first)
    ended = begun.record_attempt(ReceiverResponse(status=200), now=NOW, milliseconds=5)
    outbox.save(ended, over=begun)
    assert outbox.get(*first.key) == ended
    with pytest.raises(Contention):
        outbox.save(begun, over=begun)


def test_due_deliveries_come_longest_overdue_first_and_ended_ones_never(outbox: Outbox) -> None:
    for version, due_at in ((1, NOW), (2, NOW - 5), (3, NOW + 1), (4, None)):
        outbox.add(a_delivery(version=version, due_at=due_at, job_id=f"job-{version}"))
    assert [key[2] for key in outbox.due(NOW, 10)] == [2, 1]
    assert [key[2] for key in outbox.due(NOW, 1)] == [2]


def test_the_deliveries_of_a_job_come_in_order_and_no_others(outbox: Outbox) -> None:
    for version in (7, 3, 150, 40):
        outbox.add(a_delivery(version=version))
    outbox.add(a_delivery(version=5, job_id="job-2"))
    job = replace(a_job(), version=150)
    assert [each.version for each in outbox.of_job(replace(job, version=60))][:3] == [3, 7, 40]
    assert outbox.of_job(replace(job, job_id="job-3")) == []


def test_a_receiver_that_is_gone_is_gone_for_this_job_only(outbox: Outbox) -> None:
    assert not outbox.is_gone(a_delivery())
    outbox.set_gone(a_delivery())
    outbox.set_gone(a_delivery(version=2))
    assert outbox.is_gone(a_delivery(version=3))
    assert not outbox.is_gone(a_delivery(version=3, job_id="job-2"))
