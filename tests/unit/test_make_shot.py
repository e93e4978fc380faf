"""One picture: its deadline, its retries, what is billed."""

import asyncio
from collections.abc import Sequence

import pytest
from darkroom.domain.errors import (
    BadImage,
    NoImage,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    StorageFailed,
    Throttled,
    TimedOut,
)
from darkroom.usecases.make_shot import MakeShot, RetryPolicy

from tests.builders import a_case
from tests.fakes import InstantDeveloper, MemoryImages, Reply, ScriptedProvider
from tests.virtual_time import run

SHOT = a_case().shots[0]


class Attempt:
    """One shot made in virtual time, and all that can be seen of it."""

    def __init__(
        self,
        replies: Sequence[Reply],
        *,
        timeout_s: float = 60,
        bad: ShotError | None = None,
        unstored: ShotError | None = None,
    ) -> None:
        self.provider = ScriptedProvider(replies={"": list(replies)})
        self.images = MemoryImages(error=unstored)
        self.billed: list[bool] = []
        self.error: ShotError | None = None
        make = MakeShot(
            provider=self.provider,
            developer=InstantDeveloper(bad),
            images=self.images,
            jitter=lambda: 0.5,
            retry=RetryPolicy(base_s=1, cap_s=20),
        )

        async def timed() -> float:
            try:
                await make(SHOT, key="the-key", timeout_s=timeout_s, billed=self.billed.append)
            except ShotError as error:
                self.error = error
            return asyncio.get_running_loop().time()

        self.seconds = run(timed())


def test_a_picture_is_made_developed_and_stored_with_its_facts() -> None:
    attempt = Attempt([2.0])
    assert attempt.images.stored_pictures == {"the-key": b"jpeg of " + SHOT.prompt.encode()}
    assert attempt.images.facts["the-key"] == {
        "shot": "evidence-1",
        "model": "fake-model",
        "prompt-digest": SHOT.digest,
    }
    assert (attempt.billed, attempt.seconds) == ([True], 2.0)


def test_a_picture_that_never_comes_ends_at_the_deadline_and_its_request_is_cancelled() -> None:
    attempt = Attempt([9999.0], timeout_s=60)
    assert isinstance(attempt.error, TimedOut)
    assert attempt.seconds == 60
    assert attempt.provider.cancelled == [SHOT.prompt]
    assert attempt.images.stored_pictures == {}


@pytest.mark.parametrize("error", [Overloaded("busy"), Throttled("slow down"), NoImage("STOP")])
def test_what_may_pass_is_tried_again(error: ShotError) -> None:
    attempt = Attempt([error, 1.0])
    assert attempt.error is None
    assert len(attempt.provider.asked) == 2


@pytest.mark.parametrize("error", [Refused("SAFETY"), QuotaExhausted("per day")])
def test_what_will_not_pass_is_asked_once(error: ShotError) -> None:
    attempt = Attempt([error, 1.0])
    assert attempt.error is error
    assert len(attempt.provider.asked) == 1


def test_waits_double_with_jitter_until_the_tries_are_used_up() -> None:
    attempt = Attempt([Overloaded("busy")])
    assert len(attempt.provider.asked) == Overloaded.max_tries == 4
    assert attempt.seconds == 0.5 + 1.0 + 2.0


def test_the_servers_own_delay_is_honoured() -> None:
    attempt = Attempt([Throttled("slow down", retry_after=17.0), 1.0])
    assert attempt.error is None
    assert attempt.seconds == 18.0


def test_a_delay_that_does_not_fit_the_deadline_is_not_waited_for() -> None:
    error = Throttled("slow down", retry_after=61.0)
    attempt = Attempt([error, 1.0])
    assert (attempt.error, attempt.seconds) == (error, 0.0)


def test_a_picture_that_cannot_be_decoded_is_billed_as_waste_and_asked_for_once_more() -> None:
    attempt = Attempt([1.0], bad=BadImage("no picture"))
    assert isinstance(attempt.error, BadImage)
    assert attempt.billed == [False, False]


def test_a_picture_that_cannot_be_stored_is_not_made_again() -> None:
    attempt = Attempt([1.0], unstored=StorageFailed("no"))
    assert isinstance(attempt.error, StorageFailed)
    assert len(attempt.provider.asked) == 1
    assert attempt.billed == [True]
