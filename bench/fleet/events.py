"""Simulate the events of a fleet: the schedule of the sweeper, and the table's stream for the observer."""

import asyncio
from collections import deque

from bench.fleet.deployment import HANDLER_S, World
from bench.fleet.lambda_account import ConcurrencyExceeded

MAX_AGE_S = 21_600.0
STREAM_BATCH, COUNT_S = 100, 0.014
"""Number of changes in a batch for the observer, and seconds to count one change."""


async def schedule(world: World) -> None:
    """Start a sweep every minute, like EventBridge."""
    await asyncio.sleep(world.dice.uniform(0, 60))
    while True:
        world.account.invoke("sweeper", world.sweep, max_age_s=MAX_AGE_S)
        await asyncio.sleep(60)


async def observe(world: World) -> None:
    """Pass the changes of each shard to the observer in order, in batches."""
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
                async with world.account.invocation("observer"):
                    await asyncio.sleep(HANDLER_S + COUNT_S * sum(counted for _, counted in batch))
            except ConcurrencyExceeded:
                changes.extendleft(reversed(batch))
                await asyncio.sleep(1)
