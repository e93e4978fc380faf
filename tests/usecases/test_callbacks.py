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


class Post:
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
    post = Post()
    for _ in range(3):
        post.enqueue()
    assert len(post.deliverers.invoked) == len(post.outbox.deliveries) == 1


def test_nothing_is_sent_without_a_receiver_or_for_an_event_it_does_not_want() -> None:
    post = Post()
    for other in (None, replace(RECEIVER, events=(CallbackEvent.FAILED,))):
        assert post.announce(job(Status.PENDING), replace(job(Status.COMPLETED), receiver=other)) is None
    assert post.outbox.deliveries == {}


def test_a_delivery_that_is_accepted_is_not_attempted_again() -> None:
    post = Post()
    delivery = post.enqueue()
    assert post.deliver(*delivery.key) == post.stored(delivery)
    assert (post.stored(delivery).state, post.stored(delivery).due_at) == (DeliveryState.DELIVERED, None)
    assert post.deliver(*delivery.key) is None
    assert len(post.receiver.sent) == 1


def test_of_two_deliverers_at_once_one_sends() -> None:
    post = Post()
    delivery = post.enqueue()

    class Twice(ScriptedReceiver):
        @override
        def send(self, delivery: Delivery) -> ReceiverResponse:
            assert post.deliver(*delivery.key) is None  # the other one, while this one waits
            return super().send(delivery)

    post.receiver = Twice([GOOD])
    again = DeliverCallback(outbox=post.outbox, sender=post.receiver, clock=post.clock)
    assert again(*delivery.key) is not None
    assert len(post.receiver.sent) == 1


def test_a_dead_receiver_is_attempted_on_the_schedule_and_then_given_up() -> None:
    post = Post(ReceiverResponse(error="ConnectError"))
    delivery = post.enqueue()
    waits = []
    while (stored := post.stored(delivery)).state is DeliveryState.PENDING:
        assert stored.due_at is not None
        waits.append((stored.due_at - post.clock.now) // 1000)
        post.clock.now = stored.due_at
        post.redeliver()
        post.deliver(*delivery.key)
    assert waits == [0, *SCHEDULE_S]
    assert stored.state is DeliveryState.GIVEN_UP
    assert (stored.attempts, stored.last_error, stored.due_at) == (10, "ConnectError", None)
    assert len(post.receiver.sent) == 10


@pytest.mark.parametrize(("retry_after", "waited"), [(1, 5), (60, 60), (10_000_000, 86_400)])
def test_the_retry_after_of_a_receiver_is_obeyed(retry_after: int, waited: int) -> None:
    post = Post(ReceiverResponse(status=429, retry_after_s=retry_after))
    delivery = post.enqueue()
    post.deliver(*delivery.key)
    assert post.stored(delivery).due_at == NOW + waited * 1000


def test_another_deliverer_follows_a_dead_one_when_its_lease_ends() -> None:
    post = Post()
    delivery = post.enqueue()
    post.outbox.save(delivery.start_attempt(post.clock.now), over=delivery)
    post.deliverers.invoked.clear()
    assert (post.redeliver(), post.deliver(*delivery.key)) == (0, None)
    post.clock.pass_seconds(60)
    assert post.redeliver() == 1
    post.deliver(*delivery.key)
    assert post.stored(delivery).state is DeliveryState.DELIVERED


class Broken(ScriptedReceiver):
    """A receiver that raises an error, which no CallbackSender should."""

    error: BaseException = ValueError("a defect")

    @override
    def send(self, delivery: Delivery) -> ReceiverResponse:
        self.sent.append(delivery)
        raise self.error


def run_to_the_end(post: Post, delivery: Delivery, deliver: DeliverCallback) -> list[int]:
    """Sweep until nothing is due any more; return the seconds that each sweep waited."""
    waits: list[int] = []
    while (due_at := post.stored(delivery).due_at) is not None:
        assert len(waits) < 20, "it is tried for ever"
        waits.append((due_at - post.clock.now) // 1000)
        post.clock.now = due_at
        with suppress(KeyboardInterrupt):
            deliver(*delivery.key)
    return waits


def test_an_exception_of_the_sender_is_a_failed_attempt() -> None:
    post, broken = Post(), Broken([])
    delivery = post.enqueue()
    deliver = DeliverCallback(outbox=post.outbox, sender=broken, clock=post.clock)
    assert run_to_the_end(post, delivery, deliver) == [0, *SCHEDULE_S]
    stored = post.stored(delivery)
    assert (stored.state, stored.attempts, stored.last_error) == (DeliveryState.GIVEN_UP, 10, "ValueError")
    assert len(broken.sent) == 10


def test_a_delivery_whose_deliverer_always_dies_is_given_up_too() -> None:
    post, deadly = Post(), Broken([])
    deadly.error = KeyboardInterrupt()  # nothing after it runs, as when the process is killed
    delivery = post.enqueue()
    deliver = DeliverCallback(outbox=post.outbox, sender=deadly, clock=post.clock)
    waits = run_to_the_end(post, delivery, deliver)
    assert waits == [0, *(max(60, wait) for wait in SCHEDULE_S), 60]
    stored = post.stored(delivery)
    assert (stored.state, stored.attempts) == (DeliveryState.GIVEN_UP, 10)
    assert stored.last_error == "the attempt never ended"
    assert len(deadly.sent) == 10


def test_a_delivery_that_was_given_up_can_be_replayed() -> None:
    post, deadly = Post(), Broken([])
    deadly.error = KeyboardInterrupt()
    delivery = post.enqueue()
    run_to_the_end(post, delivery, DeliverCallback(outbox=post.outbox, sender=deadly, clock=post.clock))
    ReplayCallback(outbox=post.outbox, deliverers=post.deliverers, clock=post.clock)(job(Status.COMPLETED), 2)
    post.deliver(*delivery.key)
    assert (post.stored(delivery).state, post.stored(delivery).attempts) == (DeliveryState.DELIVERED, 1)


def test_a_receiver_that_returned_410_is_sent_no_more_of_this_job() -> None:
    post = Post(ReceiverResponse(status=410))
    first, second = post.enqueue(), post.enqueue(version=3)
    post.deliver(*first.key)
    post.deliver(*second.key)
    assert {post.stored(each).state for each in (first, second)} == {DeliveryState.GONE}
    assert len(post.receiver.sent) == 1


def test_a_delivery_whose_deliverer_cannot_be_started_is_left_to_the_sweeper() -> None:
    post = Post()
    post.deliverers.refusing = True
    delivery = post.enqueue()
    assert post.redeliver() == 0
    post.deliverers.refusing = False
    assert post.redeliver() == 1
    assert post.deliverers.invoked == [delivery.key]


def test_a_replay_sends_the_same_message_again() -> None:
    post = Post()
    delivery = post.enqueue()
    post.deliver(*delivery.key)
    replay = ReplayCallback(outbox=post.outbox, deliverers=post.deliverers, clock=post.clock)
    replay(job(Status.COMPLETED), delivery.version)
    post.deliver(*delivery.key)
    first, again = post.receiver.sent
    assert (first.body, first.message_id) == (again.body, again.message_id)


def test_a_response_that_comes_after_a_replay_does_not_change_the_replay() -> None:
    post = Post()
    delivery = post.enqueue()
    replay = ReplayCallback(outbox=post.outbox, deliverers=post.deliverers, clock=post.clock)

    class Meanwhile(ScriptedReceiver):
        @override
        def send(self, delivery: Delivery) -> ReceiverResponse:
            replay(job(Status.COMPLETED), delivery.version)
            return super().send(delivery)

    DeliverCallback(outbox=post.outbox, sender=Meanwhile([ReceiverResponse(status=500)]), clock=post.clock)(
        *delivery.key
    )
    assert (post.stored(delivery).attempts, post.stored(delivery).due_at) == (0, NOW)


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
