"""Simulate Lambda: the account's concurrency, cold starts, and the queue of asynchronous events.

All functions of an account share its concurrency. Above the limit a synchronous call fails; an asynchronous
one goes back to the queue and is repeated after 1, 2, 4, ... s until it is too old.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

COLD_START_S: Mapping[str, float] = {"worker": 1.2}
OTHER_COLD_START_S = 0.6
BURST, BURST_PER_S = 1_000, 100
"""A function gets at most 1,000 new environments at once, and 1,000 more in ten seconds."""
QUEUE_S, LONGEST_WAIT_S = 0.05, 300.0


class ConcurrencyExceeded(Exception):
    """The concurrency of the account, or the one reserved for the function, is used up."""


@dataclass
class Account:
    """The concurrency of one account in one region."""

    limit: int
    dice: random.Random
    reserved: Mapping[str, int] = field(default_factory=dict)
    """Function → its reserved concurrency, which is also its maximum."""
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Invocations refused for concurrency, by function."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Events that became too old in the queue, by function."""
    seconds: Counter[str] = field(default_factory=Counter)
    """Total duration of invocations in seconds, by function."""
    _warm: Counter[str] = field(default_factory=Counter)
    _environments: dict[str, tuple[float, float]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def invocation(self, function: str) -> AsyncIterator[None]:
        """Hold an environment while the block runs, started if none is warm; raise ConcurrencyExceeded."""
        if not (self._has_concurrency(function) and (self._warm[function] or self._may_grow(function))):
            self.refused[function] += 1
            raise ConcurrencyExceeded(function)
        cold = not self._warm[function]
        self._warm[function] -= not cold
        self.running[function] += 1
        self.most[function] = max(self.most[function], self.running[function])
        began = asyncio.get_running_loop().time()
        try:
            if cold:
                await asyncio.sleep(COLD_START_S.get(function, OTHER_COLD_START_S))
            yield
        finally:
            self.running[function] -= 1
            self._warm[function] += 1
            self.seconds[function] += asyncio.get_running_loop().time() - began  # type: ignore[assignment]

    def invoke(self, function: str, run: Callable[[], Awaitable[None]], *, max_age_s: float) -> None:
        """Invoke a function asynchronously; `run` never happens if the event becomes too old."""
        task = asyncio.get_running_loop().create_task(self._deliver(function, run, max_age_s))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _deliver(self, function: str, run: Callable[[], Awaitable[None]], max_age_s: float) -> None:
        age, wait = QUEUE_S, 1.0
        await asyncio.sleep(QUEUE_S)
        while True:
            try:
                async with self.invocation(function):
                    return await run()
            except ConcurrencyExceeded:
                pause = wait * self.dice.uniform(0.75, 1.25)
                if age + pause > max_age_s:
                    self.dropped[function] += 1
                    return None
                await asyncio.sleep(pause)
                age, wait = age + pause, min(2 * wait, LONGEST_WAIT_S)

    def _has_concurrency(self, function: str) -> bool:
        if function in self.reserved:
            return self.running[function] < self.reserved[function]
        others = sum(count for name, count in self.running.items() if name not in self.reserved)
        return others < self.limit - sum(self.reserved.values())

    def _may_grow(self, function: str) -> bool:
        now = asyncio.get_running_loop().time()
        left, at = self._environments.get(function, (float(BURST), now))
        left = min(float(BURST), left + (now - at) * BURST_PER_S)
        self._environments[function] = (left - (left >= 1), now)
        return left >= 1
