"""Count what a change of a job adds to the metrics, once, however often the change is seen."""

from dataclasses import dataclass

from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, tally
from darkroom.ports import CounterStore


@dataclass(frozen=True, kw_only=True)
class CountChange:
    """Return what was counted; an empty tally when it had been counted before. `at` in epoch milliseconds."""

    counters: CounterStore

    def __call__(self, old: Job | None, new: Job, *, at: int) -> Tally:
        found = tally(old, new)
        counted = not found.is_empty and self.counters.add(new, found, at=at)
        return found if counted else Tally()
