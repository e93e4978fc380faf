"""The requests for one shot: tried again when they fail, doubled when late; the first picture wins."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from darkroom.domain.case import Shot
from darkroom.domain.errors import ShotError, Throttled, TimedOut
from darkroom.domain.history import Event, EventKind
from darkroom.domain.quota import LONGEST_PAUSE_MS
from darkroom.ports import ImageProcessor, Jitter, RawImage
from darkroom.worker.hedger import Hedger
from darkroom.worker.rate_limiter import Admission, Postponed
from darkroom.worker.run_state import OPERATORS

type Billed = Callable[[int, bool], None]
"""Told of every request that costs something: its price in micro-USD, and whether it was of use."""


type Note = Callable[[Event], None]
"""Told of every request and every wait."""

_LONGEST_WAIT_S = LONGEST_PAUSE_MS / 1000
"""No server that is only busy means a longer delay: it counts as none."""

_WORTH_NOTING_MS = 100
"""A shorter wait for the quota is only the asking."""


@dataclass(frozen=True, kw_only=True)
class AttemptPolicy:
    """Seconds. The wait before try n+1 has full jitter: random in [0, base * 2^(n-1)], `cap` at most."""

    request_timeout: float = 60.0
    shot_timeout: float = 120.0
    """All requests and waits of a shot together; waiting for the quota does not count."""
    hedge_again: float = 1.0
    """The wait before another extra request when one failed or could not start."""
    last_wait: float = 20.0
    """When the job is cancelled, a request in flight may take this long to end: it is billed either way."""
    base: float = 0.5
    cap: float = 20.0

    def wait(self, tries: int, jitter: float) -> float:
        """Seconds to wait after `tries` failed ones; `jitter` is in [0, 1)."""
        return jitter * min(self.cap, self.base * 2.0 ** (tries - 1))


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What came, and what was made of it."""

    raw: RawImage
    jpeg: bytes


@dataclass(kw_only=True)
class Attempts:
    """The requests for one shot to one image model."""

    shot: Shot
    admission: Admission
    hedger: Hedger
    processor: ImageProcessor
    policy: AttemptPolicy
    jitter: Jitter
    facts: dict[str, str]
    remaining_s: Callable[[], float]
    """How long the run can still wait for a picture."""
    billed: Billed
    note: Note
    _running: set[asyncio.Task[Picture]] = field(default_factory=set)
    _decided: bool = False
    """A picture has won, or the race has ended without one: whatever still comes is of no use."""
    _fault: ShotError | None = None
    """Fault that the operator must mend before another request can be made."""
    _late: asyncio.Future[None] | None = None
    _deadline: float = 0.0
    _began: float = 0.0
    _failed: int = 0
    _sent: int = 0

    async def run(self) -> Picture:
        """The first picture; raises ShotError, or Postponed when another run had better make it."""
        self._deadline = _now() + self.policy.shot_timeout
        try:
            while True:
                if not self._running:
                    await self._enter()
                if picture := await self._next():
                    return picture
        except asyncio.CancelledError:
            picture = await self._last() if self.admission.requests.finishing else None
            if picture is None:
                raise
            return picture
        finally:
            self._decided = True
            self.hedger.stop_watching(self.shot.id)
            for loser in self._running:
                loser.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _enter(self) -> None:
        """Start the only request, as soon as it may."""
        began = _now()
        try:
            async with asyncio.timeout(max(0.0, self.remaining_s() - self.policy.request_timeout)):
                waited = await self.admission.enter()
        except TimeoutError:
            raise Postponed(self.admission.waits_until) from None
        if self.remaining_s() < self.policy.request_timeout:
            self.admission.leave(billed=False)
            raise Postponed
        if waited >= _WORTH_NOTING_MS:
            self._note(EventKind.WAIT, self.admission.clock() - waited, "quota")
        self._deadline += _now() - began
        self._began = self._began or _now()
        self._launch()

    def _launch(self) -> None:
        # Begun at once: a task that is cancelled before it begins would not give back its place.
        loop = asyncio.get_running_loop()
        self._sent += 1
        request = self._request(self._sent, hedge=bool(self._running))
        self._running.add(asyncio.Task(request, loop=loop, eager_start=True))
        self._watch()

    def _watch(self, grace_s: float | None = None) -> None:
        latencies = self.admission.image_model.latencies
        self._late = self.hedger.watch(
            self.shot.id, latencies, began=self._began, failed=self._failed > 0, grace_s=grace_s
        )

    async def _request(self, number: int, *, hedge: bool) -> Picture:
        """Make one request and settle what it has cost: in the timeline, the budgets and the job alike."""
        image_model, began, at = self.admission.image_model, _now(), self.admission.clock()
        outcome, reason, useful = "cancelled", "", False
        billed = True  # also when it is cancelled: the provider may have made the picture
        try:
            picture = await self._picture()
            outcome, useful, self._decided = "made", not self._decided, True
        except ShotError as error:
            outcome, reason, billed = error.code, f"{image_model.name}: {error}", error.billed
            raise
        finally:
            cost = image_model.price_micro_usd if billed else 0
            self._note(
                EventKind.ATTEMPT, at, outcome, reason, number=number, hedge=hedge, cost_micro_usd=cost
            )
            self.admission.leave(billed=billed)
            if billed:
                self.billed(cost, useful)
        image_model.latencies.seen.append(_now() - began)
        return picture

    async def _picture(self) -> Picture:
        """Return the picture; raises ShotError, always billed when the provider had sent something."""
        try:
            async with asyncio.timeout(self.policy.request_timeout):
                provider = self.admission.image_model.provider
                raw = await provider.generate(self.shot.prompt, timeout_s=self.policy.request_timeout)
                try:
                    jpeg = await self.processor.process(raw, {**self.facts, "model": raw.model})
                except ShotError as error:
                    error.billed = True
                    raise
        except TimeoutError as error:
            raise TimedOut(f"no picture within {self.policy.request_timeout:.0f} s") from error
        return Picture(raw=raw, jpeg=jpeg)

    async def _next(self) -> Picture | None:
        """Wait for what happens next, and do what it asks for; the picture, when it is there."""
        assert self._late is not None
        left = min(self._deadline - _now(), self.remaining_s())
        events: set[asyncio.Future[Any]] = {*self._running, self._late}
        done, _ = await asyncio.wait(events, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
        if not done:
            if self.remaining_s() <= 0:
                raise Postponed
            raise TimedOut(f"no picture within {self.policy.shot_timeout:.0f} s")
        pictures, errors = self._ended()
        if pictures:
            return pictures[0]
        for error in errors:
            await self._failure(error)
        if self._running and self._late.done():
            await self._hedge()
        return None

    async def _last(self) -> Picture | None:
        """Return the picture of a request in flight, if one comes in time; None otherwise."""
        end = _now() + min(self.policy.last_wait, self.remaining_s())
        while self._running and (left := end - _now()) > 0:
            await asyncio.wait(self._running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            pictures, _ = self._ended()
            if pictures:
                return pictures[0]
        return None

    def _ended(self) -> tuple[list[Picture], list[ShotError]]:
        pictures, errors = [], []
        for task in [task for task in self._running if task.done()]:
            self._running.discard(task)
            try:
                pictures.append(task.result())
            except ShotError as error:
                errors.append(error)
        return pictures, errors

    async def _failure(self, error: ShotError) -> None:
        """Wait before the next try; raises `error` when there is none.

        While another request runs, there is nothing to wait for. It ends with an error that it will have
        too; a fault of the state came after it, and only keeps further requests from being made.
        """
        self._failed += 1
        if not self._running:
            error = self._fault or error
        if not error.retryable:
            if not self._running or error.code not in OPERATORS:
                raise error
            self._fault = error
            self.hedger.stop_watching(self.shot.id)
            self._late = asyncio.get_running_loop().create_future()  # never done
            return
        wait = self.policy.wait(self._failed, self.jitter())
        if isinstance(error, Throttled):
            pause = wait if error.retry_after is None else error.retry_after
            await self.admission.throttled(pause)
            wait = 0  # `enter` waits for the end of everybody's pause
        elif error.retry_after is not None and error.retry_after <= _LONGEST_WAIT_S:
            wait = max(wait, error.retry_after)
        if self._running:
            if self._fault is None:
                self._watch(self.policy.hedge_again)
            return
        if self._failed >= error.max_tries or not self._fits(wait):
            raise error
        self.hedger.stop_watching(self.shot.id)
        began = self.admission.clock()
        await asyncio.sleep(wait)
        if wait:
            self._note(EventKind.WAIT, began, "backoff")

    async def _hedge(self) -> None:
        """Send a second request if there is time, allowance, quota and money for it."""
        if self.hedger.extra_requests_left > 0 and self._fits(0) and await self.admission.enter_now():
            self.hedger.extra_requests_left -= 1
            self._launch()
        else:
            self._watch(self.policy.hedge_again)

    def _note(self, kind: EventKind, at: int, outcome: str, reason: str = "", **more: Any) -> None:
        event = Event(
            kind=kind,
            at=at,
            milliseconds=self.admission.clock() - at,
            outcome=outcome,
            reason=reason,
            shot_id=self.shot.id,
            **more,
        )
        self.note(event)

    def _fits(self, wait: float) -> bool:
        """Whether half of all requests that start after `wait` would be done in time."""
        left = min(self._deadline - _now(), self.remaining_s())
        return wait + self.admission.image_model.latencies.learned.median < left


def _now() -> float:
    return asyncio.get_running_loop().time()
