"""The fake of the metrics' counters."""

from dataclasses import dataclass, field
from typing import override

from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, Totals, Window, bucket
from darkroom.ports import CounterStore


@dataclass
class MemoryCounters(CounterStore):
    """Counters in memory."""

    counted: dict[tuple[str, int], tuple[int, Tally]] = field(default_factory=dict)

    @override
    def add(self, job: Job, tally: Tally, *, at: int) -> bool:
        if (job.job_id, job.version) in self.counted:
            return False
        self.counted[job.job_id, job.version] = at, tally
        return True

    @override
    def totals(self, window: Window, *, now: int) -> Totals:
        found = Totals()
        for at, tally in self.counted.values():
            if at - at % window.step in window.steps(now):
                found.counts.update(tally.counts)
                if tally.generation is not None:
                    found.generation[bucket(tally.generation)] += 1
                if tally.webhook is not None:
                    found.webhook[bucket(tally.webhook)] += 1
        return found
