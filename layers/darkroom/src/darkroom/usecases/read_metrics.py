"""How the deployment does: the counts of a window, and the jobs that are stuck now."""

from dataclasses import dataclass

from darkroom.domain.errors import JobNotFound
from darkroom.domain.metrics import Totals, Window
from darkroom.domain.sweeping import is_stuck
from darkroom.ports import Clock, CounterStore, JobStore


@dataclass(frozen=True, kw_only=True)
class ReadMetrics:
    """Answers the totals of `window` up to now, and how many jobs are stuck.

    Only jobs that are due can be stuck: a worker owns the others. At most `limit` are looked at.
    """

    counters: CounterStore
    jobs: JobStore
    clock: Clock
    limit: int = 100

    def __call__(self, window: Window) -> tuple[Totals, int]:
        now = self.clock()
        return self.counters.totals(window, now=now), sum(
            self._is_stuck(case_id, now) for case_id in self.jobs.due(now, self.limit)
        )

    def _is_stuck(self, case_id: str, now: int) -> bool:
        try:
            return is_stuck(self.jobs.get(case_id), now)
        except JobNotFound:
            return False
