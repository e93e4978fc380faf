"""What comes to a fleet by itself: the schedule of the sweeper, and the table's stream for the observer."""

import asyncio
from collections import deque

from bench.fleet.deployment import HANDLER_S, World
from bench.fleet.lambda_account import NoPlace

MAX_AGE_S = 21_600.0
STREAM_BATCH, COUNT_S = 100, 0.014
"""Changes that the observer gets at once, and what counting one takes."""


async def schedule(world: World) -> None:
    """EventBridge: a sweep every minute, at any second of it."""
    await asyncio.sleep(world.dice.uniform(0, 60))
    while True:
        world.account.invoke("sweeper", world.sweep, max_age_s=MAX_AGE_S)
        await asyncio.sleep(60)


async def observe(world: World) -> None:
    """Each shard's changes in order, a batch at a time."""
    async with asyncio.TaskGroup() as shards:
        for changes in world.jobs.changes:
            shards.create_task(_observe(world, changes))


async def _observe(world: World, changes: deque[tuple[float, bool]]) -> None:
    while True:
        await asyncio.sleep(1)
        while changes:
            world.lag = max(world.lag, asyncio.get_running_loop().time() - changes[0][0])
            batch = [changes.popleft() for _ in range(min(len(changes), STREAM_BATCH))]
            try:
                async with world.account.place("observer"):
                    await asyncio.sleep(HANDLER_S + COUNT_S * sum(counted for _, counted in batch))
            except NoPlace:
                changes.extendleft(reversed(batch))
                await asyncio.sleep(1)
