"""Let the requests of one run to one image model start: within concurrency, quota and budgets.

A *start* is the right to send one request at a given time. The quota grants starts.
"""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from darkroom.domain.quota import HORIZON_MS, Grant
from darkroom.domain.shot_errors import BudgetExhausted, QuotaExhausted, StorageFailed
from darkroom.worker.image_model import ImageModel
from darkroom.worker.quota_client import QuotaClient

_ASK_AGAIN_MS = 50


class Postponed(Exception):
    """Another run should make the picture: at `until`, in epoch milliseconds, or at once if None."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__(until)
        self.until = until


@dataclass(kw_only=True)
class RunSlots:
    """The concurrency of one run, over all its image models."""

    free: asyncio.Semaphore
    in_flight: int = 0
    """Number of requests that hold a start: they wait for its time, or are sent and have not ended."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Event that is set when a request ends."""


@dataclass(kw_only=True)
class RateLimiter:
    """The limiter of one run at one image model. It requests starts together and gives them out in order."""

    quota_client: QuotaClient
    slots: RunSlots
    _starts: deque[int] = field(default_factory=deque)
    """Granted starts that no request has taken yet, in epoch milliseconds, ascending."""
    _waiting: int = 0
    """Number of requests that wait for a start."""
    _refilling: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Lock that is held while starts are requested and taken, so that they are given out in order."""
    _next_at: int = 0
    """Time of the run's next start, in epoch milliseconds, as far as it is known."""
    _scarce: bool = False
    """True once the quota has made this run wait. From then on it sends no extra requests."""
    _postponed_until: int | None = None
    """Time until which the quota has no start for this run. All later requests are postponed."""

    @property
    def image_model(self) -> ImageModel:
        """The model that the requests are sent to."""
        return self.quota_client.image_model

    @property
    def waits_until(self) -> int | None:
        """Time of the run's next start, in epoch milliseconds; None when it need not wait."""
        return self._next_at if self._next_at > self.quota_client.clock() else None

    async def acquire(self) -> int:
        """Wait until a request may start; return the milliseconds spent waiting for the quota.

        Pair each success with `release`. Raise Postponed when another run should send the request,
        QuotaExhausted when that would be after the job's deadline, BudgetExhausted, or StorageFailed.
        """
        await self.slots.free.acquire()
        began = self.quota_client.clock()
        try:
            await self._wait_for_start()
        except BaseException:
            self.slots.free.release()
            raise
        return self.quota_client.clock() - began

    async def try_acquire(self) -> bool:
        """Take a start for an extra request; return False if none is free now. Pair True with `release`."""
        if self.slots.free.locked() or self._waiting or self._scarce:
            return False
        await self.slots.free.acquire()
        grant = Grant()
        try:
            async with self._refilling:
                grant = await self.quota_client.request_starts(1, hedge=True)
        except StorageFailed:
            return False
        finally:
            if not grant.starts:
                self.slots.free.release()
        self.slots.in_flight += bool(grant.starts)
        return bool(grant.starts)

    def release(self, *, billed: bool) -> None:
        """End a request. The money reserved for it is spent if it is `billed`, or free again."""
        self._return_start(unused=not billed)
        self.slots.free.release()

    async def pause(self, seconds: float) -> None:
        """Keep all workers from starting requests for `seconds`, because the provider asked for it."""
        await self.quota_client.pause(seconds)

    async def close(self) -> None:
        """Give back the starts that no request has taken, and the money that was not billed."""
        self.quota_client.give_back(len(self._starts))
        self._starts.clear()
        await self.quota_client.close()

    async def _wait_for_start(self) -> None:
        """Take starts until the time of one comes while it may still be used."""
        while True:
            at = await self._next_start()
            self.slots.in_flight += 1
            try:
                if await self._wait_until_usable(at):
                    return
            except BaseException:
                self._return_start(unused=True)
                raise
            self._return_start(unused=True)

    async def _next_start(self) -> int:
        """Take the next start and return its time. When none is left, request as many as are waited for."""
        self._waiting += 1
        try:
            async with self._refilling:
                if not self._starts:
                    await self._refill()
                return self._starts.popleft()
        finally:
            self._waiting -= 1

    async def _wait_until_usable(self, at: int) -> bool:
        """Wait until the time of a start; return True if it may still be used then."""
        limits = self.image_model.limits
        ahead = at - self.quota_client.clock()
        self._next_at = at
        if ahead > 0:
            await asyncio.sleep(ahead / 1000)
        if ahead > limits.slack:  # another worker may have been throttled meanwhile
            await self.quota_client.refresh_pause()
        in_time = limits.per_minute is None or self.quota_client.clock() <= at + limits.slack
        return in_time and at >= self.quota_client.paused_until

    def _return_start(self, *, unused: bool) -> None:
        """End the use of a start; give its money back if it was `unused`."""
        if unused:
            self.quota_client.give_back(1)
        self.slots.in_flight -= 1
        self.slots.ended.set()

    async def _refill(self) -> None:
        """Request a start for each waiting request. If none is granted while requests run, ask again later.

        If none is granted and no request runs, raise the reason.
        """
        await asyncio.sleep(0)  # let all that come now be counted
        while True:
            if self._postponed_until is not None:
                raise Postponed(self._postponed_until)
            idle = self.slots.in_flight == 0
            grant = await self.quota_client.request_starts(self._waiting, idle=idle)
            if grant.starts:
                self._scarce |= len(grant.starts) < self._waiting or grant.starts[0] < grant.starts[-1]
                self._starts.extend(grant.starts)
                return
            self._scarce = True
            self._next_at = grant.ask_at
            if idle:
                raise self._refusal(grant)
            await self._wait_for_change(None if grant.broke else grant.ask_at)

    def _refusal(self, grant: Grant) -> Exception:
        """Return the error of a run that gets no start and has no request in flight."""
        if grant.broke:
            return BudgetExhausted("another request would exceed what may be spent")
        if grant.next_at >= self.quota_client.deadline_at:
            return QuotaExhausted("the quota's next start comes after the job's deadline")
        self._postponed_until = grant.ask_at
        return Postponed(grant.ask_at)

    async def _wait_for_change(self, next_at: int | None) -> None:
        """Wait until `next_at` is near or all requests have ended; without `next_at`, until one has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds_until(next_at)):
                while self.slots.in_flight:
                    self.slots.ended.clear()
                    await self.slots.ended.wait()
                    if next_at is None:
                        return

    def _seconds_until(self, next_at: int | None) -> float | None:
        """Return the seconds until a start at `next_at` can be granted; None without `next_at`."""
        if next_at is None:
            return None
        ahead = next_at - self.quota_client.clock()
        return max(_ASK_AGAIN_MS, ahead - HORIZON_MS if ahead > HORIZON_MS else ahead) / 1000
