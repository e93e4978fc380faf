"""Read the metrics of the deployment: the totals of a window, and the number of stuck jobs."""

from dataclasses import dataclass

from darkroom.domain.errors import JobNotFound
from darkroom.domain.metrics import Totals, Window
from darkroom.domain.sweeping import is_stuck
from darkroom.ports import Clock, CounterStore, JobStore


@dataclass(frozen=True, kw_only=True)
class ReadMetrics:
    """The metrics of the deployment. Stuck jobs are counted among the first `limit` due jobs."""

    counters: CounterStore
    jobs: JobStore
    clock: Clock
    limit: int = 100

    def __call__(self, window: Window) -> tuple[Totals, int]:
        """Return the totals of a window up to now, and the number of stuck jobs."""
        now = self.clock()
        totals = self.counters.totals(window, now=now)
        stuck = sum(self._is_stuck(case_id, now) for case_id in self.jobs.due(now, self.limit))
        return totals, stuck

    def _is_stuck(self, case_id: str, now: int) -> bool:
        try:
            return is_stuck(self.jobs.get(case_id), now)
        except JobNotFound:
            return False
