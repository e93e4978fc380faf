"""Send a run's snapshots: one at a time, each with the latest state."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.run import EventKind, RunEvent
from darkroom.domain.run_policy import ReportPolicy
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.ports import Clock, Jitter, SnapshotChannel

type MakeSnapshot = Callable[[SnapshotKind, int], Snapshot]
"""Return the snapshot of the given kind and sequence, of the run as it is now."""


class Reporter:
    """The sender of one run's snapshots. While `run` sends, others call `mark` and `close`."""

    def __init__(
        self,
        channel: SnapshotChannel,
        url: str,
        make_snapshot: MakeSnapshot,
        *,
        jitter: Jitter,
        policy: ReportPolicy,
        clock: Clock,
        record_event: Callable[[RunEvent], None],
    ) -> None:
        self._channel = channel
        self._url = url
        self._make_snapshot = make_snapshot
        self._jitter = jitter
        self._policy = policy
        self._clock = clock
        self._record_event = record_event
        self._sequence = 0
        self._one_at_a_time = asyncio.Lock()
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = asyncio.Event()
        self.undelivered = 0
        """Number of progress snapshots and heartbeats that were given up. A later snapshot repairs each.

        A claim or a last snapshot that is given up ends the run instead, and is not counted.
        """

    async def claim(self) -> None:
        """Claim the run; raise Superseded, Cancelled, or Undeliverable after the retries."""
        await self._deliver(SnapshotKind.CLAIM, self._may_retry, asyncio.sleep)

    async def acknowledge(self) -> None:
        """Send progress at once, and return when it is acknowledged; raise as `claim` does."""
        await self._deliver(SnapshotKind.PROGRESS, self._may_retry, asyncio.sleep)

    def mark(self, *, urgent: bool) -> None:
        """Announce progress. `urgent` progress is sent as soon as no other snapshot is on its way."""
        self._news.set()
        if urgent:
            self._urgent.set()

    def close(self) -> None:
        """Let `run` end as soon as no snapshot is on its way. The last snapshot holds everything."""
        self._closing.set()
        self.mark(urgent=True)

    async def run(self) -> None:
        """Send progress and heartbeats until closed; raise Superseded or Cancelled when the run must stop."""
        loop = asyncio.get_running_loop()
        sent_at = -math.inf
        while True:
            await self._pause(self._policy.heartbeat_s, self._news)
            kind = SnapshotKind.PROGRESS if self._news.is_set() else SnapshotKind.HEARTBEAT
            if kind is SnapshotKind.PROGRESS:
                since = loop.time() - sent_at
                await self._pause(max(0.0, self._policy.interval_s - since), self._urgent)
            if self._closing.is_set():
                return
            self._news.clear()
            self._urgent.clear()
            sent_at = loop.time()
            try:
                await self._deliver(kind, self._may_retry, lambda wait: self._pause(wait, self._closing))
            except Undeliverable:
                self.undelivered += 1  # the next snapshot holds everything again

    async def send_last(self, kind: SnapshotKind, remaining_s: Callable[[], float]) -> None:
        """Send the last snapshot while time is left; raise Superseded, Cancelled or Undeliverable."""
        await self._deliver(kind, lambda _: remaining_s() > self._policy.last_try_s, asyncio.sleep)

    def _may_retry(self, attempts: int) -> bool:
        return attempts <= self._policy.retries and not self._closing.is_set()

    async def _pause(self, seconds: float, unless: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await unless.wait()

    async def _deliver(
        self,
        kind: SnapshotKind,
        may_retry: Callable[[int], bool],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        async with self._one_at_a_time:
            self._sequence += 1
            snapshot = self._make_snapshot(kind, self._sequence)
            attempts = 0
            while True:
                attempts += 1
                try:
                    return await self._send(snapshot)
                except Undeliverable as error:
                    if not (error.retryable and may_retry(attempts)):
                        raise
                await pause(self._policy.wait(attempts, self._jitter()))

    async def _send(self, snapshot: Snapshot) -> None:
        """Send once, and record the attempt as an event, which a later snapshot holds."""
        began_at = self._clock()
        outcome = "delivered"
        try:
            await self._channel.send(snapshot, self._url)
        except (Undeliverable, Superseded, Cancelled) as error:
            outcome = str(error)
            raise
        except Exception as error:
            # No response, however strange, may end a run whose pictures are paid for.
            outcome = type(error).__name__
            raise Undeliverable(outcome, retryable=True) from error
        finally:
            event = RunEvent(
                kind=EventKind.SNAPSHOT,
                at=began_at,
                milliseconds=self._clock() - began_at,
                outcome=outcome,
                number=snapshot.sequence,
            )
            self._record_event(event)
