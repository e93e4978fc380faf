"""One image model's quota, and the budgets of one run, in the store that all workers share."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from darkroom.domain.errors import Contention
from darkroom.domain.quota import (
    HORIZON_MS,
    Ask,
    Budget,
    Grant,
    QuotaState,
    Turn,
    grant_starts,
    pause_ms,
    paused,
    paused_until,
    with_known_spending,
)
from darkroom.domain.shot_errors import StorageFailed
from darkroom.ports import Clock, Jitter, QuotaStore
from darkroom.worker.image_model import ImageModel

CONTENTION_ATTEMPTS = 30
_CONTENTION_BASE_S = 0.02
_CONTENTION_CAP_S = 1.0

_SAME_PAUSE_MS = 500
"""Pauses that differ by less are the same. Requests that are throttled together get nearly the same pause."""


@dataclass(kw_only=True)
class QuotaClient:
    """The client of a stored quota and its budgets. A change whose write was lost is decided again."""

    image_model: ImageModel
    store: QuotaStore
    clock: Clock
    jitter: Jitter
    budgets: Sequence[Budget]
    """Budgets that the run spends from, each with the spending that the run knows of."""
    deadline_at: int
    turn: Turn
    usable_s: Callable[[], float] = lambda: HORIZON_MS / 1000
    """Return the seconds from now within which a start is still of use to the run."""
    paused_until: int = 0
    """End of the latest pause that this run knows of, in epoch milliseconds."""
    _unbilled: int = 0
    """Reserved money that was not billed, in micro-USD. The next request for starts gives it back."""
    _pausing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Lock that is held while a pause is stored, so that requests throttled together store it once."""

    async def request_starts(self, wanted: int, *, idle: bool = False, hedge: bool = False) -> Grant:
        """Return the starts that the quota and the budgets have for this run; raise StorageFailed."""
        refund = self._unbilled
        self._unbilled = 0  # before the write: money is never given back twice, whatever happens

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
            return grant_starts(state, self.image_model.limits, ask)

        grant = await self._change(decide)
        if grant.starts and not hedge:
            self.turn = Turn.SERVED
        return grant

    def give_back(self, requests: int) -> None:
        """Free the money of requests that are not billed. The next request for starts stores that."""
        self._unbilled += requests * self.image_model.price_micro_usd

    async def pause(self, seconds: float) -> None:
        """Keep all workers from starting requests for `seconds`, but for no longer than the longest pause."""
        until = self.clock() + pause_ms(seconds)
        async with self._pausing:
            if until > self.paused_until + _SAME_PAUSE_MS:
                self.paused_until = until
                with suppress(StorageFailed):  # other workers will learn it from the provider
                    await self._change(lambda state: (paused(state, until, now=self.clock()), None))

    async def refresh_pause(self) -> None:
        """Read the pause that another worker may have stored; raise StorageFailed."""
        until = await self._change(lambda state: (state, paused_until(state, now=self.clock())))
        self.paused_until = max(self.paused_until, until)

    async def close(self) -> None:
        """Give back the money that was reserved and not billed. If that fails, the money counts as spent."""
        if self.budgets and self._unbilled:
            with suppress(StorageFailed):
                await self.request_starts(0)

    async def _change[T](self, decide: Callable[[QuotaState], tuple[QuotaState, T]]) -> T:
        """Store the state that `decide` returns, only over the state that it was given; return its result."""
        limits = {budget.name: budget.limit for budget in self.budgets}
        wait = _CONTENTION_BASE_S
        for _ in range(CONTENTION_ATTEMPTS):
            with suppress(Contention):
                stored = await self.store.load(self.image_model.name, limits)
                state, result = decide(with_known_spending(stored.state, self.budgets))
                if state != stored.state:
                    await self.store.save(stored, state)
                return result
            await asyncio.sleep(wait * self.jitter())
            wait = min(2 * wait, _CONTENTION_CAP_S)
        raise StorageFailed("too many workers want the quota")
