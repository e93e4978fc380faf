"""Count what a change of a job adds, once, however often it is heard of."""

from dataclasses import dataclass

from darkroom.domain.job import Job
from darkroom.domain.tally import Tally, tally
from darkroom.ports import CounterStore


@dataclass(frozen=True, kw_only=True)
class CountChange:
    """Answers what was counted: nothing when it had been counted before. `at` in epoch milliseconds."""

    counters: CounterStore

    def __call__(self, old: Job | None, new: Job, *, at: int) -> Tally:
        found = tally(old, new)
        return Tally() if found.is_empty else self.counters.add(new, found, at=at)
