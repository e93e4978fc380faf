"""Callbacks: what receivers get, how often, and when a delivery is given up."""

from contextlib import suppress
from dataclasses import replace
from typing import override

import pytest
from darkroom.domain.callbacks import SCHEDULE_S, Delivery, DeliveryState, ReceiverResponse, event_of
from darkroom.domain.errors import InvalidInput
from darkroom.domain.job import Job, Status
from darkroom.domain.receivers import CallbackEvent, Receiver, ReceiverPolicy
from darkroom.usecases.deliver_callback import DeliverCallback
from darkroom.usecases.enqueue_callback import EnqueueCallback
from darkroom.usecases.redeliver_callbacks import RedeliverCallbacks
from darkroom.usecases.replay_callback import ReplayCallback
from darkroom.wire.receivers import receiver

from testing.builders import NOW, a_case, a_job
from testing.fakes.callbacks import MemoryOutbox, RecordedDeliverers, ScriptedReceiver
from testing.fakes.time_and_ids import ManualClock

RECEIVER = Receiver(url="https://game.example/hook")
GOOD = ReceiverResponse(status=204)


def job(status: Status, version: int = 2, images: int = 0) -> Job:
    made = replace(a_job(a_case()), status=status, version=version, receiver=RECEIVER, caller="game")
    return replace(made, images={shot.id: "key" for shot in made.shots[:images]})


class World:
    """An outbox, and the use cases and fakes around it."""

    def __init__(self, *responses: ReceiverResponse) -> None:
        self.clock = ManualClock()
        self.outbox = MemoryOutbox()
        self.deliverers = RecordedDeliverers()
        self.receiver = ScriptedReceiver(list(responses) or [GOOD])
        self.announce = EnqueueCallback(
            outbox=self.outbox,
            deliverers=self.deliverers,
            clock=self.clock,
            write_body=lambda event, job, at: f"{event} of {job.version}",
        )
        self.deliver = DeliverCallback(outbox=self.outbox, sender=self.receiver, clock=self.clock)
        self.redeliver = RedeliverCallbacks(
            outbox=self.outbox, deliverers=self.deliverers, clock=self.clock, limit=100
        )

    def enqueue(self, version: int = 2, status: Status = Status.COMPLETED) -> Delivery:
        found = self.announce(job(Status.PENDING, version - 1), job(status, version))
        assert found is not None
        return found

    def stored(self, delivery: Delivery) -> Delivery:
        return self.outbox.get(*delivery.key)


@pytest.mark.parametrize(
    ("old", "new", "event"),
    [
        (None, job(Status.PENDING), None),
        (job(Status.PENDING), job(Status.GENERATING), CallbackEvent.GENERATING),
        (job(Status.GENERATING), job(Status.GENERATING, images=1), CallbackEvent.PROGRESS),
        (job(Status.GENERATING), job(Status.GENERATING), None),
        (job(Status.GENERATING), job(Status.PENDING), None),
        (job(Status.GENERATING), job(Status.COMPLETED), CallbackEvent.COMPLETED),
        (job(Status.GENERATING), job(Status.PARTIAL), CallbackEvent.PARTIAL),
        (job(Status.PENDING), job(Status.FAILED), CallbackEvent.FAILED),
        (job(Status.GENERATING), job(Status.CANCELLED), CallbackEvent.CANCELLED),
        (job(Status.CANCELLED), job(Status.CANCELLED, images=1), CallbackEvent.CANCELLED),
        (job(Status.CANCELLED), job(Status.CANCELLED), None),
    ],
)
def test_each_change_of_status_or_progress_is_an_event(
    old: Job | None, new: Job, event: CallbackEvent | None
) -> None:
    assert event_of(old, new) is event


def test_a_change_that_is_seen_again_is_sent_once() -> None:
    world = World()
    for _ in range(3):
        world.enqueue()
    assert len(world.deliverers.invoked) == len(world.outbox.deliveries) == 1


def test_nothing_is_sent_without_a_receiver_or_for_an_event_it_does_not_want() -> None:
    world = World()
    for other in (None, replace(RECEIVER, events=(CallbackEvent.FAILED,))):
        assert world.announce(job(Status.PENDING), replace(job(Status.COMPLETED), receiver=other)) is None
    assert world.outbox.deliveries == {}


def test_a_delivery_that_is_accepted_is_not_attempted_again() -> None:
    world = World()
    delivery = world.enqueue()
    assert world.deliver(*delivery.key) == world.stored(delivery)
    assert (world.stored(delivery).state, world.stored(delivery).due_at) == (DeliveryState.DELIVERED, None)
    assert world.deliver(*delivery.key) is None
    assert len(world.receiver.sent) == 1


def test_of_two_deliverers_at_once_one_sends() -> None:
    world = World()
    delivery = world.enqueue()

    class Twice(ScriptedReceiver):
        @override
        def send(self, delivery: Delivery) -> ReceiverResponse:
            assert world.deliver(*delivery.key) is None  # the other one, while this one waits
            return super().send(delivery)

    world.receiver = Twice([GOOD])
    again = DeliverCallback(outbox=world.outbox, sender=world.receiver, clock=world.clock)
    assert again(*delivery.key) is not None
    assert len(world.receiver.sent) == 1


def test_a_dead_receiver_is_attempted_on_the_schedule_and_then_given_up() -> None:
    world = World(ReceiverResponse(error="ConnectError"))
    delivery = world.enqueue()
    waits = []
    while (stored := world.stored(delivery)).state is DeliveryState.PENDING:
        assert stored.due_at is not None
        waits.append((stored.due_at - world.clock.now) // 1000)
        world.clock.now = stored.due_at
        world.redeliver()
        world.deliver(*delivery.key)
    assert waits == [0, *SCHEDULE_S]
    assert stored.state is DeliveryState.GIVEN_UP
    assert (stored.attempts, stored.last_error, stored.due_at) == (10, "ConnectError", None)
    assert len(world.receiver.sent) == 10


@pytest.mark.parametrize(("retry_after", "waited"), [(1, 5), (60, 60), (10_000_000, 86_400)])
def test_the_retry_after_of_a_receiver_is_obeyed(retry_after: int, waited: int) -> None:
    world = World(ReceiverResponse(status=429, retry_after_s=retry_after))
    delivery = world.enqueue()
    world.deliver(*delivery.key)
    assert world.stored(delivery).due_at == NOW + waited * 1000


def test_another_deliverer_follows_a_dead_one_when_its_lease_ends() -> None:
    world = World()
    delivery = world.enqueue()
    world.outbox.save(delivery.start_attempt(world.clock.now), over=delivery)
    world.deliverers.invoked.clear()
    assert (world.redeliver(), world.deliver(*delivery.key)) == (0, None)
    world.clock.pass_seconds(60)
    assert world.redeliver() == 1
    world.deliver(*delivery.key)
    assert world.stored(delivery).state is DeliveryState.DELIVERED


class Broken(ScriptedReceiver):
    """A receiver that raises an error, which no CallbackSender should."""

    error: BaseException = ValueError("a defect")

    @override
    def send(self, delivery: Delivery) -> ReceiverResponse:
        self.sent.append(delivery)
        raise self.error


def run_to_the_end(world: World, delivery: Delivery, deliver: DeliverCallback) -> list[int]:
    """Sweep until nothing is due any more; return the seconds that each sweep waited."""
    waits: list[int] = []
    while (due_at := world.stored(delivery).due_at) is not None:
        assert len(waits) < 20, "it is tried for ever"
        waits.append((due_at - world.clock.now) // 1000)
        world.clock.now = due_at
        with suppress(KeyboardInterrupt):
            deliver(*delivery.key)
    return waits


def test_an_exception_of_the_sender_is_a_failed_attempt() -> None:
    world, broken = World(), Broken([])
    delivery = world.enqueue()
    deliver = DeliverCallback(outbox=world.outbox, sender=broken, clock=world.clock)
    assert run_to_the_end(world, delivery, deliver) == [0, *SCHEDULE_S]
    stored = world.stored(delivery)
    assert (stored.state, stored.attempts, stored.last_error) == (DeliveryState.GIVEN_UP, 10, "ValueError")
    assert len(broken.sent) == 10


def test_a_delivery_whose_deliverer_always_dies_is_given_up_too() -> None:
    world, deadly = World(), Broken([])
    deadly.error = KeyboardInterrupt()  # nothing after it runs, as when the process is killed
    delivery = world.enqueue()
    deliver = DeliverCallback(outbox=world.outbox, sender=deadly, clock=world.clock)
    waits = run_to_the_end(world, delivery, deliver)
    assert waits == [0, *(max(60, wait) for wait in SCHEDULE_S), 60]
    stored = world.stored(delivery)
    assert (stored.state, stored.attempts) == (DeliveryState.GIVEN_UP, 10)
    assert stored.last_error == "the attempt never ended"
    assert len(deadly.sent) == 10


def test_a_delivery_that_was_given_up_can_be_replayed() -> None:
    world, deadly = World(), Broken([])
    deadly.error = KeyboardInterrupt()
    delivery = world.enqueue()
    run_to_the_end(world, delivery, DeliverCallback(outbox=world.outbox, sender=deadly, clock=world.clock))
    ReplayCallback(outbox=world.outbox, deliverers=world.deliverers, clock=world.clock)(
        job(Status.COMPLETED), 2
    )
    world.deliver(*delivery.key)
    assert (world.stored(delivery).state, world.stored(delivery).attempts) == (DeliveryState.DELIVERED, 1)


def test_a_receiver_that_returned_410_is_sent_no_more_of_this_job() -> None:
    world = World(ReceiverResponse(status=410))
    first, second = world.enqueue(), world.enqueue(version=3)
    world.deliver(*first.key)
    world.deliver(*second.key)
    assert {world.stored(each).state for each in (first, second)} == {DeliveryState.GONE}
    assert len(world.receiver.sent) == 1


def test_a_delivery_whose_deliverer_cannot_be_started_is_left_to_the_sweeper() -> None:
    world = World()
    world.deliverers.refusing = True
    delivery = world.enqueue()
    assert world.redeliver() == 0
    world.deliverers.refusing = False
    assert world.redeliver() == 1
    assert world.deliverers.invoked == [delivery.key]


def test_a_replay_sends_the_same_message_again() -> None:
    world = World()
    delivery = world.enqueue()
    world.deliver(*delivery.key)
    replay = ReplayCallback(outbox=world.outbox, deliverers=world.deliverers, clock=world.clock)
    replay(job(Status.COMPLETED), delivery.version)
    world.deliver(*delivery.key)
    first, again = world.receiver.sent
    assert (first.body, first.message_id) == (again.body, again.message_id)


def test_a_response_that_comes_after_a_replay_does_not_change_the_replay() -> None:
    world = World()
    delivery = world.enqueue()
    replay = ReplayCallback(outbox=world.outbox, deliverers=world.deliverers, clock=world.clock)

    class Meanwhile(ScriptedReceiver):
        @override
        def send(self, delivery: Delivery) -> ReceiverResponse:
            replay(job(Status.COMPLETED), delivery.version)
            return super().send(delivery)

    DeliverCallback(outbox=world.outbox, sender=Meanwhile([ReceiverResponse(status=500)]), clock=world.clock)(
        *delivery.key
    )
    assert (world.stored(delivery).attempts, world.stored(delivery).due_at) == (0, NOW)


POLICY = ReceiverPolicy(hosts=("Game.example.", "*.apps.example", "xn--strae-oqa.example"))


@pytest.mark.parametrize(
    "url",
    [
        "https://game.example/x?y=1",
        "https://GAME.example:8443/",
        "https://a.b.apps.example",
        "https://game.example./",
        "https://a_b.apps.example/",
        "https://XN--strae-OQA.example/",
        "https://xn--i-7iq.apps.example/",
        f"https://{'a' * 63}.apps.example/",
        "https://game.example:65535/",
        "https://game.example:/",
    ],
)
def test_a_receiver_at_an_allowed_host_is_taken(url: str) -> None:
    assert receiver(url, [], POLICY) == Receiver(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://game.example/",
        "https://apps.example/",
        "https://evil-apps.example/",
        "https://game.example.evil.example/",
        "https://game.example@evil.example/",
        "https://user:pw@game.example/",
        "https://:pw@game.example/",
        "https://game.example/#x",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[",
        "https://game.example:99999/",
        "https:///x",
        "ftp://game.example/",
        "https://gäme.example/",
        "https://game.example/ x",
        "https://evil.example\\@game.example/",
        "javascript:alert(1)",
        "https://strasse.example/",
        "https://game.example../",
        "https://.apps.example/",
        "https://a..apps.example/",
        "https://-a.apps.example/",
        "https://a-.apps.example/",
        "https://%61.apps.example/",
        "https://a,b.apps.example/",
        f"https://{'a' * 64}.apps.example/",
        f"https://{'a.' * 121}apps.example/",
        "https://xn--a.apps.example/",
        "https://xn--zzzzzz99999.apps.example/",
        "https://xn--.apps.example/",
        "https://xn--abc-.apps.example/",
        "https://game.example:0/",
    ],
)
def test_any_other_receiver_is_refused_with_the_field_and_the_rule(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        receiver(url, [], POLICY)
    assert [wrong.field for wrong in caught.value.errors] == ["callbackUrl"]


def test_without_allowed_hosts_there_are_no_callbacks() -> None:
    with pytest.raises(InvalidInput, match="CallbackHosts"):
        receiver("https://game.example/", [], ReceiverPolicy(hosts=()))
