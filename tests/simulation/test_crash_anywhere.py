"""A process dies before or after each port call of each use case; then the sweeper repairs the job.

The port calls are counted in a run without faults, so that a new call is covered at once.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from testing.builders import a_case
from testing.virtual_time import run
from tests.simulation.invariants import check_end
from tests.simulation.world import CURRENT, Killed, World

CASE = a_case(evidence=2, locations=1)
type Story = Callable[[World], None]


class OneDeath(World):
    """A world in which only one thing goes wrong: a process dies before or after its nth port call."""

    def __init__(self, nth: int, *, after: bool) -> None:
        super().__init__(seed=1)
        self.faulty = False
        self.nth = nth
        self.after = after
        self.died = ""

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        with super().effect(name):
            mine = self.calls == self.nth
            if mine and not self.after:
                self._strike(name)
            yield
        if mine and self.after:
            self._strike(name)

    def _strike(self, name: str) -> None:
        self.died = name
        process = CURRENT.get()
        if process is not None:
            process.alive = False
        raise Killed


def nothing_more(world: World) -> None:
    """Do nothing: the caller only submits."""


def cancelled_and_retried(world: World) -> None:
    """Cancel in the middle, and retry with another description."""
    loop = asyncio.get_running_loop()
    loop.call_later(3, world.cancel)
    loop.call_later(30, world.retry, {"location-1": "other words"})


def short_of_time(world: World) -> None:
    """Give each worker time for one shot, so that the job goes on in continuations."""
    world.worker_seconds = 78.0
    world.concurrency = 1


def a_worker_is_lost(world: World) -> None:
    """Kill the first worker in the middle, so that another one takes over."""
    asyncio.get_running_loop().call_later(4, world.kill, 0)


async def live(world: World, story: Story) -> None:
    """Submit, let the story happen, sweep every minute, and retry what is missing."""
    while not world.submit(CASE):  # noqa: ASYNC110 - a caller without a response sends it again
        await asyncio.sleep(1)
    story(world)
    for _ in range(90):
        await asyncio.sleep(60)
        world.sweep()
        job = world.jobs.jobs["case-1"]
        if job.is_open or world.tasks:
            continue
        if not job.missing:
            break
        world.retry({})
    assert world.violations == []
    check_end(world.jobs.jobs["case-1"], world.images.stored_pictures, frozenset())
    assert not world.jobs.jobs["case-1"].missing


def calls_of(story: Story) -> int:
    """Return the number of port calls of the story when no process dies."""
    world = OneDeath(0, after=False)
    run(live(world, story))
    return world.calls


STORIES: dict[Story, set[str]] = {
    nothing_more: {
        "jobs.create",
        "jobs.get",
        "jobs.save",
        "workers.invoke",
        "send",
        "generate",
        "images.put",
    },
    cancelled_and_retried: {"jobs.get", "jobs.save", "jobs.get_case", "images.keys", "send"},
    a_worker_is_lost: {
        "jobs.get",
        "jobs.save",
        "jobs.get_case",
        "images.keys",
        "queue.send",
        "workers.invoke",
    },
    short_of_time: {"jobs.get", "jobs.save", "jobs.get_case", "images.keys", "workers.invoke"},
}
"""The stories, each with some of the calls that it must reach."""


@pytest.mark.parametrize("story", STORIES)
def test_no_picture_is_missing_in_the_end_whichever_call_a_process_dies_at(story: Story) -> None:
    struck = set()
    for nth in range(1, calls_of(story) + 1):
        for after in (False, True):
            world = OneDeath(nth, after=after)
            run(live(world, story))
            struck.add(world.died.partition(" ")[0])
    assert struck >= STORIES[story]
