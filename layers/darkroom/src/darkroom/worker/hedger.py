"""Watch the requests of a run and say which are late; learn from those that are not."""

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field

from darkroom.domain.hedging import HedgePolicy, Latency, learned

MEMORY = 50
"""So many of the last latencies count: a model that has become slower is soon known to be."""

_EARLY_S = 0.001
"""A timer may come so much before its time."""


@dataclass(kw_only=True)
class Latencies:
    """What one worker has seen of one image_model, over all the runs it has served. Seconds."""

    policy: HedgePolicy
    seen: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))

    @property
    def learned(self) -> Latency:
        """How long a request takes."""
        return learned(self.seen, self.policy)


@dataclass(frozen=True, kw_only=True)
class _Watch:
    began: float
    failed: bool
    not_before: float
    latencies: Latencies
    late: asyncio.Future[None]

    def late_at(self, unfinished: int) -> float:
        """When, while so many shots have no picture."""
        after = self.latencies.learned.late_after(unfinished, failed=self.failed)
        return max(self.began + after, self.not_before)


class Hedger:
    """The watch of one run over its shots; on the event loop's own clock."""

    def __init__(self, share: float, shots: int) -> None:
        self.unfinished = shots
        """How many shots may still need requests."""
        self._watches: dict[str, _Watch] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.extra_requests_left = math.floor(share * shots)
        """How many extra requests may still be made."""

    def watch(
        self,
        shot_id: str,
        latencies: Latencies,
        *,
        began: float,
        failed: bool,
        grace_s: float | None = None,
    ) -> asyncio.Future[None]:
        """The future is done when the shot, whose first request `began` then, is late.

        Not before a grace: by default the median, which every request is given.
        """
        loop = asyncio.get_running_loop()
        grace = latencies.learned.median if grace_s is None else grace_s
        watch = _Watch(
            began=began,
            failed=failed,
            not_before=loop.time() + grace,
            latencies=latencies,
            late=loop.create_future(),
        )
        self._watches[shot_id] = watch
        self._plan()
        return watch.late

    def stop_watching(self, shot_id: str) -> None:
        """No request of the shot is running."""
        self._watches.pop(shot_id, None)
        self._plan()

    def finished(self, shot_id: str) -> None:
        """The shot needs no more requests."""
        self.unfinished -= 1
        self.stop_watching(shot_id)

    def _plan(self) -> None:
        """Tell whom it concerns, and come back when the next request will be late."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.extra_requests_left <= 0:
            return
        loop = asyncio.get_running_loop()
        waiting = [watch for watch in self._watches.values() if not watch.late.done()]
        for watch in sorted(waiting, key=lambda watch: watch.late_at(self.unfinished)):
            when = watch.late_at(self.unfinished)
            if when > loop.time() + _EARLY_S:
                self._timer = loop.call_at(when, self._plan)
                return
            watch.late.set_result(None)
