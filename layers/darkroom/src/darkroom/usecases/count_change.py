"""Count what a change of a job adds, once, however often it is heard of."""

from dataclasses import dataclass

from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, tally
from darkroom.ports import CounterStore


@dataclass(frozen=True, kw_only=True)
class CountChange:
    """Answers what was counted: nothing when it had been counted before. `at` in epoch milliseconds."""

    counters: CounterStore

    def __call__(self, old: Job | None, new: Job, *, at: int) -> Tally:
        found = tally(old, new)
        counted = not found.is_empty and self.counters.add(new, found, at=at)
        return found if counted else Tally()
