"""Tell the webhook how a run stands: one snapshot at a time, always the latest state."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.history import Event, EventKind
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.ports import Clock, Jitter, SnapshotChannel

type Describe = Callable[[SnapshotKind, int], Snapshot]
"""The snapshot of the given kind and sequence, as the run stands now."""


@dataclass(frozen=True, kw_only=True)
class ReportPolicy:
    """Waits are in seconds and have full jitter: random between 0 and the doubled one before."""

    retries: int = 3
    base_s: float = 0.5
    cap_s: float = 2.0
    """While the last word is not taken its worker holds a place of Lambda's that others may need."""
    last_try_s: float = 10.0
    """A try may take so long; with less time left there is no other."""
    interval_s: float = 2.0
    """Progress that nobody waits for comes this often at most."""
    heartbeat_s: float = 10.0
    """After so long without a snapshot one is sent that says nothing new."""

    def wait(self, tries: int, jitter: float) -> float:
        """Seconds to wait after `tries` failed ones; `jitter` is in [0, 1)."""
        return jitter * min(self.cap_s, self.base_s * 2.0**tries)


class Reporter:
    """The voice of one run. Every method but `run` may be called while `run` is going on."""

    def __init__(
        self,
        channel: SnapshotChannel,
        url: str,
        describe: Describe,
        *,
        jitter: Jitter,
        policy: ReportPolicy,
        clock: Clock,
        note: Callable[[Event], None],
    ) -> None:
        self._channel = channel
        self._url = url
        self._describe = describe
        self._jitter = jitter
        self._policy = policy
        self._clock = clock
        self._note = note
        self._sequence = 0
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = asyncio.Event()
        self.undelivered = 0
        """Snapshots given up; each was repaired by a later one, or will be by the sweeper."""

    async def claim(self) -> None:
        """Make the run ours; raises Superseded, Cancelled, or Undeliverable after the retries."""
        await self._deliver(SnapshotKind.CLAIM, self._few, asyncio.sleep)

    def mark(self, *, urgent: bool) -> None:
        """There is news; urgent news is sent as soon as nothing else is on its way."""
        self._news.set()
        if urgent:
            self._urgent.set()

    def close(self) -> None:
        """Let `run` end as soon as nothing is on its way: the final snapshot will say it all."""
        self._closing.set()
        self.mark(urgent=True)

    async def run(self) -> None:
        """Send progress and heartbeats until closed; raises Superseded or Cancelled: the run must stop."""
        spoke_at = -math.inf
        while True:
            await self._pause(self._policy.heartbeat_s, self._news)
            kind = SnapshotKind.PROGRESS if self._news.is_set() else SnapshotKind.HEARTBEAT
            if kind is SnapshotKind.PROGRESS:
                since = asyncio.get_running_loop().time() - spoke_at
                await self._pause(max(0.0, self._policy.interval_s - since), self._urgent)
            if self._closing.is_set():
                return
            self._news.clear()
            self._urgent.clear()
            spoke_at = asyncio.get_running_loop().time()
            try:
                await self._deliver(kind, self._few, lambda wait: self._pause(wait, self._closing))
            except Undeliverable:
                self.undelivered += 1  # the next snapshot says it all again

    async def finish(self, kind: SnapshotKind, remaining_s: Callable[[], float]) -> None:
        """Send the last snapshot, trying while time is left; raises Superseded, Cancelled, Undeliverable."""
        await self._deliver(kind, lambda _: remaining_s() > self._policy.last_try_s, asyncio.sleep)

    def _few(self, tries: int) -> bool:
        return tries <= self._policy.retries and not self._closing.is_set()

    async def _pause(self, seconds: float, unless: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await unless.wait()

    async def _deliver(
        self,
        kind: SnapshotKind,
        again: Callable[[int], bool],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._sequence += 1
        snapshot = self._describe(kind, self._sequence)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._send(snapshot)
            except Undeliverable as error:
                if not (error.retryable and again(tries)):
                    raise
            await pause(self._policy.wait(tries, self._jitter()))

    async def _send(self, snapshot: Snapshot) -> None:
        """One try; a later snapshot tells how it went."""
        began, outcome = self._clock(), "delivered"
        try:
            await self._channel.send(snapshot, self._url)
        except (Undeliverable, Superseded, Cancelled) as error:
            outcome = str(error)
            raise
        except Exception as error:
            # No answer, however strange, may end a run whose pictures are paid for.
            outcome = type(error).__name__
            raise Undeliverable(outcome, retryable=True) from error
        finally:
            event = Event(
                kind=EventKind.SNAPSHOT,
                at=began,
                milliseconds=self._clock() - began,
                outcome=outcome,
                number=snapshot.sequence,
            )
            self._note(event)
