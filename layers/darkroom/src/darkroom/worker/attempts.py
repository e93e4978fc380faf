"""The attempts for one shot at one image model: repeated when they fail, hedged when they are late."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from darkroom.domain.case import Shot
from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.quota import LONGEST_PAUSE_MS
from darkroom.domain.run import OPERATOR_FAULTS, EventKind, RunEvent
from darkroom.domain.shot_errors import ShotError, StorageFailed, Throttled, TimedOut
from darkroom.ports import RawImage
from darkroom.worker.rate_limiter import Postponed, RateLimiter
from darkroom.worker.run_tools import RunTools

_LONGEST_WAIT_S = LONGEST_PAUSE_MS / 1000
"""A longer delay counts as none: no server that is only busy means it."""

_WORTH_RECORDING_MS = 100
"""A shorter wait for the quota is only the time of the call."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A provider's picture, and the JPEG that was made of it."""

    raw: RawImage
    jpeg: bytes


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """The result of one attempt: a picture, an error, or neither when it was cancelled."""

    picture: Picture | None = None
    error: ShotError | None = None

    @property
    def name(self) -> str:
        if self.error is not None:
            return self.error.code
        return "cancelled" if self.picture is None else "made"

    @property
    def billed(self) -> bool:
        """True if the provider may charge for it: it may have made the picture of a cancelled request."""
        return True if self.error is None else self.error.billed


@dataclass(kw_only=True)
class Attempts:
    """The requests for one shot. The first picture wins; the other requests are then cancelled.

    Deadlines hold by cancellation, so a response that trickles in ends at them too.
    """

    shot: Shot
    limiter: RateLimiter
    tools: RunTools
    _running: set[asyncio.Task[_Outcome]] = field(default_factory=set)
    _decided: bool = False
    """True once a picture has won, or the shot is over without one. A later picture is not used."""
    _operator_fault: ShotError | None = None
    """Error that an operator must repair before another request can succeed; None without one."""
    _late: asyncio.Future[None] | None = None
    """Future that is done when the shot is late and may get an extra request."""
    _deadline: float = 0.0
    _began: float = 0.0
    _failed: int = 0
    _sent: int = 0

    async def run(self) -> Picture:
        """Return the first picture; raise ShotError, or Postponed when another run should make it."""
        self._deadline = _now() + self.tools.attempt_policy.shot_timeout
        try:
            while True:
                if not self._running:
                    await self._send_when_allowed()
                if picture := await self._next():
                    return picture
        except asyncio.CancelledError:
            picture = await self._wait_for_running() if self.tools.state.cancelled else None
            if picture is None:
                raise
            return picture
        finally:
            self._decided = True
            self.tools.hedger.stop_watching(self.shot.id)
            for loser in self._running:
                loser.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    # ---- start requests ----

    async def _send_when_allowed(self) -> None:
        """Wait until the limits let a request start, then send it. No other request of the shot runs."""
        began = _now()
        request_timeout = self.tools.attempt_policy.request_timeout
        try:
            async with asyncio.timeout(max(0.0, self.tools.remaining_s() - request_timeout)):
                waited = await self.limiter.acquire()
        except TimeoutError:
            raise Postponed(self.limiter.waits_until) from None
        if self.tools.remaining_s() < request_timeout:
            self.limiter.release(billed=False)
            raise Postponed
        if waited >= _WORTH_RECORDING_MS:
            self._record_wait(self.tools.clock() - waited, "quota")
        self._deadline += _now() - began  # waiting for the quota does not count
        self._began = self._began or _now()
        self._send()

    async def _hedge(self) -> None:
        """Send one more request if there is time, hedge allowance, quota and money for it.

        A shot may get several, while the allowance of the run lasts. If none can be sent now, try again
        after `hedge_again`.
        """
        hedger = self.tools.hedger
        if hedger.extra_requests_left > 0 and self._has_time(0) and await self.limiter.try_acquire():
            hedger.extra_requests_left -= 1
            self._send()
        else:
            self._watch(self.tools.attempt_policy.hedge_again)

    def _send(self) -> None:
        """Start an attempt, and watch the shot for being late."""
        # Started eagerly: a task that is cancelled before it starts would not release its start.
        loop = asyncio.get_running_loop()
        self._sent += 1
        attempt = self._attempt(self._sent, hedge=bool(self._running))
        self._running.add(asyncio.Task(attempt, loop=loop, eager_start=True))
        self._watch()

    def _watch(self, grace_s: float | None = None) -> None:
        latencies = self.limiter.image_model.latencies
        self._late = self.tools.hedger.watch(
            self.shot.id, latencies, began=self._began, failed=self._failed > 0, grace_s=grace_s
        )

    # ---- one request ----

    async def _attempt(self, number: int, *, hedge: bool) -> _Outcome:
        """Make one request, and book it however it ends."""
        began = _now()
        began_at = self.tools.clock()
        outcome = _Outcome()
        try:
            outcome = await self._request()
        finally:
            self._book(outcome, number=number, hedge=hedge, began_at=began_at)
        if outcome.picture is not None:
            self.limiter.image_model.latencies.seen.append(_now() - began)
        return outcome

    async def _request(self) -> _Outcome:
        provider = self.limiter.image_model.provider
        seconds = self.tools.attempt_policy.request_timeout
        try:
            async with asyncio.timeout(seconds):
                raw = await provider.generate(self.shot.prompt, timeout_s=seconds)
                jpeg = await self._process(raw)
        except TimeoutError:
            return _Outcome(error=TimedOut(f"no picture within {seconds:.0f} s"))
        except ShotError as error:
            return _Outcome(error=error)
        return _Outcome(picture=Picture(raw=raw, jpeg=jpeg))

    async def _process(self, raw: RawImage) -> bytes:
        """Return the JPEG; raise ShotError, which is billed because the provider has sent something."""
        try:
            return await self.tools.processing.process(raw, self.shot.id)
        except ShotError as error:
            error.billed = True
            raise
        except (Undeliverable, Superseded, Cancelled) as error:
            raise StorageFailed("the webhook has not accepted the shot's name", billed=True) from error

    def _book(self, outcome: _Outcome, *, number: int, hedge: bool, began_at: int) -> None:
        """Record what an attempt was and cost: in the run's events, in the budgets and in the job."""
        image_model = self.limiter.image_model
        billed = outcome.billed
        useful = outcome.picture is not None and not self._decided
        self._decided |= outcome.picture is not None
        cost = image_model.price_micro_usd if billed else 0
        self.tools.state.record_event(
            RunEvent(
                kind=EventKind.ATTEMPT,
                at=began_at,
                milliseconds=self.tools.clock() - began_at,
                outcome=outcome.name,
                reason=f"{image_model.name}: {outcome.error}" if outcome.error else "",
                number=number,
                shot_id=self.shot.id,
                hedge=hedge,
                cost_micro_usd=cost,
            )
        )
        self.limiter.release(billed=billed)
        if billed:
            self.tools.state.record_cost(cost, useful=useful)

    # ---- wait for what happens next ----

    async def _next(self) -> Picture | None:
        """Wait until a request ends or the shot is late, and react; return the picture when there is one."""
        assert self._late is not None
        remaining_s = self.tools.remaining_s()
        left = min(self._deadline - _now(), remaining_s)
        events: set[asyncio.Future[Any]] = {*self._running, self._late}
        done, _ = await asyncio.wait(events, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
        if not done:
            if self.tools.remaining_s() <= 0:
                raise Postponed
            raise TimedOut(f"no picture within {self.tools.attempt_policy.shot_timeout:.0f} s")
        outcomes = self._take_ended()
        if picture := _picture_of(outcomes):
            return picture
        for outcome in outcomes:
            if outcome.error is not None:
                await self._after_failure(outcome.error)
        if self._running and self._late.done():
            await self._hedge()
        return None

    async def _wait_for_running(self) -> Picture | None:
        """Return the picture of a running request if one comes in time; None otherwise."""
        end = _now() + min(self.tools.attempt_policy.last_wait, self.tools.remaining_s())
        while self._running and (left := end - _now()) > 0:
            await asyncio.wait(self._running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if picture := _picture_of(self._take_ended()):
                return picture
        return None

    def _take_ended(self) -> list[_Outcome]:
        """Return the outcomes of the attempts that have ended; raise an unexpected error of one."""
        ended = [task for task in self._running if task.done()]
        outcomes = [task.result() for task in ended]
        self._running.difference_update(ended)
        return outcomes

    # ---- after a failure ----

    async def _after_failure(self, error: ShotError) -> None:
        """Wait before the next attempt; raise `error` when there is none.

        While another request runs, return at once. An error that an operator must repair then only stops
        further requests: the running one was accepted before it.
        """
        self._failed += 1
        if not self._running:
            error = self._operator_fault or error
        if not error.retryable:
            self._give_up(error)
            return
        wait = await self._wait_after(error)
        if self._running:
            if self._operator_fault is None:
                self._watch(self.tools.attempt_policy.hedge_again)
            return
        if self._failed >= error.max_tries or not self._has_time(wait):
            raise error
        await self._back_off(wait)

    def _give_up(self, error: ShotError) -> None:
        """Raise `error`, unless an operator must repair it and a running request may still succeed."""
        if not self._running or error.code not in OPERATOR_FAULTS:
            raise error
        self._operator_fault = error
        self.tools.hedger.stop_watching(self.shot.id)
        self._late = asyncio.get_running_loop().create_future()  # never done

    async def _wait_after(self, error: ShotError) -> float:
        """Return the seconds to wait before the next attempt; after a rate limit pause all workers."""
        wait = self.tools.attempt_policy.wait(self._failed, self.tools.jitter())
        if isinstance(error, Throttled):
            self.tools.state.throttles += 1
            await self.limiter.pause(wait if error.retry_after is None else error.retry_after)
            return 0  # `acquire` waits for the end of the pause
        if error.retry_after is not None and error.retry_after <= _LONGEST_WAIT_S:
            return max(wait, error.retry_after)
        return wait

    async def _back_off(self, seconds: float) -> None:
        self.tools.hedger.stop_watching(self.shot.id)
        began_at = self.tools.clock()
        await asyncio.sleep(seconds)
        if seconds:
            self._record_wait(began_at, "backoff")

    def _has_time(self, wait: float) -> bool:
        """Return True if half of all requests that start after `wait` seconds would end in time."""
        left = min(self._deadline - _now(), self.tools.remaining_s())
        return wait + self.limiter.image_model.latencies.learned.median < left

    def _record_wait(self, began_at: int, outcome: str) -> None:
        self.tools.state.record_event(
            RunEvent(
                kind=EventKind.WAIT,
                at=began_at,
                milliseconds=self.tools.clock() - began_at,
                outcome=outcome,
                shot_id=self.shot.id,
            )
        )


def _picture_of(outcomes: list[_Outcome]) -> Picture | None:
    return next((outcome.picture for outcome in outcomes if outcome.picture is not None), None)


def _now() -> float:
    return asyncio.get_running_loop().time()
