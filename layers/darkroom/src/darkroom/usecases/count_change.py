"""Count what a change of a job adds to the metrics, once, however often the change is seen."""

from dataclasses import dataclass

from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, tally
from darkroom.ports import CounterStore


@dataclass(frozen=True, kw_only=True)
class CountChange:
    """The count of a job's changes in the metrics of the deployment."""

    counters: CounterStore

    def __call__(self, old: Job | None, new: Job, *, at: int) -> Tally:
        """Count the change at `at`, in epoch milliseconds, and return what was counted.

        The tally is empty when the change had been counted before.
        """
        found = tally(old, new)
        counted = not found.is_empty and self.counters.add(new, found, at=at)
        return found if counted else Tally()
