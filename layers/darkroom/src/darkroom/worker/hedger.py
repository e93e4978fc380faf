"""Watch the shots of a run, and complete a future for each that is late and may get an extra request."""

import asyncio
import math
from dataclasses import dataclass

from darkroom.worker.image_model import Latencies

_EARLY_S = 0.001
"""Seconds by which a timer may fire before its time."""


@dataclass(frozen=True, kw_only=True)
class _Watch:
    began: float
    failed: bool
    not_before: float
    latencies: Latencies
    late: asyncio.Future[None]

    def late_at(self, unfinished: int) -> float:
        """Return the time at which the shot is late, while `unfinished` shots of the run have no end."""
        after = self.latencies.learned.late_after(unfinished, failed=self.failed)
        return max(self.began + after, self.not_before)


class Hedger:
    """The watch over the shots of one run. Times are those of the event loop."""

    def __init__(self, share: float, shots: int) -> None:
        self.unfinished = shots
        """Number of shots that have neither a picture nor an end in this run."""
        self.extra_requests_left = math.floor(share * shots)
        self._watches: dict[str, _Watch] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(
        self,
        shot_id: str,
        latencies: Latencies,
        *,
        began: float,
        failed: bool,
        grace_s: float | None = None,
    ) -> asyncio.Future[None]:
        """Return a future that is done when the shot is late. `began` is the time of its first request.

        It is not done before `grace_s` has passed; by default that is the median latency.
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
        """Watch the shot no longer. Its future stays as it is."""
        self._watches.pop(shot_id, None)
        self._plan()

    def shot_done(self, shot_id: str) -> None:
        """Count one shot less as unfinished: it has its picture, has failed or is postponed."""
        self.unfinished -= 1
        self.stop_watching(shot_id)

    def _plan(self) -> None:
        """Complete the futures of all late shots, and set a timer for the next shot to become late."""
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
