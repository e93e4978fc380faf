"""Let the requests of a run start: within its concurrency, everybody's quota and what may be spent."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from darkroom.domain.errors import BudgetExhausted, Contention, QuotaExhausted, StorageFailed
from darkroom.domain.quota import (
    HORIZON_MS,
    Ask,
    Budget,
    Grant,
    Limits,
    QuotaState,
    Turn,
    at_least,
    pause_ms,
    paused,
    paused_until,
    take,
)
from darkroom.ports import Clock, ImageProvider, Jitter, QuotaStore
from darkroom.worker.hedger import Latencies

CONTENTION_TRIES = 30
_CONTENTION_BASE_S = 0.02
_CONTENTION_CAP_S = 1.0
_ASK_AGAIN_MS = 50
_SAME_PAUSE_MS = 500
"""Requests that were throttled together are told nearly the same: one write is enough."""


class Postponed(Exception):
    """Another run had better make the picture: at `until`, in epoch milliseconds, or at once if None."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__(until)
        self.until = until


@dataclass(frozen=True, kw_only=True)
class ImageModel:
    """A provider's model: what is asked for pictures, how often, and what a request costs."""

    name: str
    """`provider/model`: its quota is kept under this."""
    provider: ImageProvider
    limits: Limits
    price_micro_usd: int
    latencies: Latencies
    day_until: Callable[[int], int]
    """When the provider's day ends that the given time lies in, in epoch milliseconds."""

    @property
    def model(self) -> str:
        """The model that is asked for."""
        return self.name.partition("/")[2]


@dataclass(kw_only=True)
class Requests:
    """The requests of one run to all its image_models: how many at once, and how many there are now."""

    slots: asyncio.Semaphore
    now: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    finishing: bool = False
    """The job is cancelled: what is in flight may end, and nothing else starts."""


@dataclass(kw_only=True)
class Admission:
    """One run's way to one image_model. Starts are asked for together and handed out in order."""

    image_model: ImageModel
    store: QuotaStore
    clock: Clock
    jitter: Jitter
    budgets: Mapping[str, int]
    """Limit in micro-USD, by name, of each budget that the run spends from."""
    requests: Requests
    deadline_at: int
    turn: Turn
    usable_s: Callable[[], float] = lambda: HORIZON_MS / 1000
    """Seconds from now in which a request must start for the run to have time for it."""
    known: Sequence[Budget] = ()
    """The same budgets with what the run knows to have been spent from them, if it knows."""
    _granted: deque[int] = field(default_factory=deque)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _pausing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    _refund: int = 0
    _paused_until: int = 0
    throttles: int = 0
    """How often the provider has refused a request of this run for its rate."""
    _scarce: bool = False
    """The quota has made this run wait: it makes no extra requests any more."""
    _wait_until: int | None = None
    _next_at: int = 0

    @property
    def waits_until(self) -> int | None:
        """When the quota has the next start for this run, in epoch milliseconds; None: now."""
        return self._next_at if self._next_at > self.clock() else None

    async def enter(self) -> int:
        """Return when a request may start; `leave` must follow. How long the quota made it wait, in ms.

        Raises Postponed when another run had better make it, QuotaExhausted when that would be past
        the job's deadline, BudgetExhausted, or StorageFailed.
        """
        await self.requests.slots.acquire()
        began = self.clock()
        try:
            await self._start()
        except BaseException:
            self.requests.slots.release()
            raise
        return self.clock() - began

    async def enter_now(self) -> bool:
        """Whether one more request may start at once; if so, `leave` must follow."""
        if self.requests.slots.locked() or self._waiting or self._scarce:
            return False
        await self.requests.slots.acquire()
        grant = Grant()
        try:
            async with self._asking:
                grant = await self._ask(1, hedge=True)
        except StorageFailed:
            return False
        finally:
            if not grant.starts:
                self.requests.slots.release()
        self.requests.now += bool(grant.starts)
        return bool(grant.starts)

    def leave(self, *, billed: bool) -> None:
        """A request has ended; what was reserved for it is spent, or free again."""
        self._unreserve(0 if billed else 1)
        self.requests.slots.release()

    async def throttled(self, seconds: float) -> None:
        """The provider wants nobody to ask for so long. A delay that is absurd is cut short."""
        self.throttles += 1
        until = self.clock() + pause_ms(seconds)
        async with self._pausing:
            if until > self._paused_until + _SAME_PAUSE_MS:
                self._paused_until = until
                with suppress(StorageFailed):  # everybody else will hear it from the provider
                    await self._change(lambda state: (paused(state, until, now=self.clock()), None))

    async def close(self) -> None:
        """Give back what was reserved and not billed; if that fails, it counts as spent."""
        self._refund += len(self._granted) * self.image_model.price_micro_usd
        self._granted.clear()
        if self.budgets and self._refund:
            with suppress(StorageFailed):
                await self._ask(0)

    async def _start(self) -> None:
        """Wait for a start that can be used."""
        while True:
            at = await self._next_start()
            self.requests.now += 1
            try:
                if await self._reached(at):
                    return
            except BaseException:
                self._unreserve(1)
                raise
            self._unreserve(1)

    async def _next_start(self) -> int:
        """The time of the next start; asks for as many as are waited for when none is left."""
        self._waiting += 1
        try:
            async with self._asking:
                if not self._granted:
                    await self._refill()
                return self._granted.popleft()
        finally:
            self._waiting -= 1

    async def _reached(self, at: int) -> bool:
        """Whether, when its time has come, the start may still be used."""
        ahead, self._next_at = at - self.clock(), at
        if ahead > 0:
            await asyncio.sleep(ahead / 1000)
        if ahead > self.image_model.limits.slack:  # meanwhile another worker may have been throttled
            pause = await self._change(lambda state: (state, paused_until(state, now=self.clock())))
            self._paused_until = max(self._paused_until, pause)
        in_time = (
            self.image_model.limits.per_minute is None or self.clock() <= at + self.image_model.limits.slack
        )
        return in_time and at >= self._paused_until

    def _unreserve(self, requests: int) -> None:
        self._refund += requests * self.image_model.price_micro_usd
        self.requests.now -= 1
        self.requests.ended.set()

    async def _refill(self) -> None:
        """Ask for as many starts as are waited for; while some requests run, wait for more of them."""
        await asyncio.sleep(0)  # let everybody who comes now be counted
        while True:
            if self._wait_until is not None:
                raise Postponed(self._wait_until)
            idle = self.requests.now == 0
            grant = await self._ask(self._waiting, idle=idle)
            if grant.starts:
                self.turn = Turn.GOING_ON
                self._scarce |= len(grant.starts) < self._waiting or grant.starts[0] < grant.starts[-1]
                self._granted.extend(grant.starts)
                return
            self._scarce, self._next_at = True, grant.ask_at
            if idle:
                raise self._refusal(grant)
            await self._news(None if grant.broke else grant.ask_at)

    def _refusal(self, grant: Grant) -> Exception:
        if grant.broke:
            return BudgetExhausted("another request would exceed what may be spent")
        if grant.next_at >= self.deadline_at:
            return QuotaExhausted("the quota's next start comes after the job's deadline")
        self._wait_until = grant.ask_at
        return Postponed(grant.ask_at)

    async def _news(self, next_at: int | None) -> None:
        """Wait until the next start may be given, or all requests have ended: any, if money is wanting."""
        seconds = None
        if next_at is not None:
            ahead = next_at - self.clock()
            seconds = max(_ASK_AGAIN_MS, ahead - HORIZON_MS if ahead > HORIZON_MS else ahead) / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.requests.now:
                    self.requests.ended.clear()
                    await self.requests.ended.wait()
                    if next_at is None:
                        return

    async def _ask(self, wanted: int, *, idle: bool = False, hedge: bool = False) -> Grant:
        refund, self._refund = self._refund, 0  # whatever happens, never given back twice

        def decide(state: QuotaState) -> tuple[QuotaState, Grant]:
            now = self.clock()
            ask = Ask(
                wanted=wanted,
                now=now,
                day_until=self.image_model.day_until(now),
                price=self.image_model.price_micro_usd,
                refund=refund,
                turn=self.turn,
                idle=idle,
                hedge=hedge,
                deadline_at=self.deadline_at,
                usable=int(self.usable_s() * 1000),
            )
            return take(state, self.image_model.limits, ask)

        return await self._change(decide)

    async def _change[T](self, decide: Callable[[QuotaState], tuple[QuotaState, T]]) -> T:
        """Store what `decide` makes of the state, over nothing but what it was made from."""
        wait = _CONTENTION_BASE_S
        for _ in range(CONTENTION_TRIES):
            with suppress(Contention):
                stored = await self.store.load(self.image_model.name, self.budgets)
                state, answer = decide(at_least(stored.state, self.known))
                if state != stored.state:
                    await self.store.save(stored, state)
                return answer
            await asyncio.sleep(wait * self.jitter())
            wait = min(2 * wait, _CONTENTION_CAP_S)
        raise StorageFailed("too many workers want the quota")
