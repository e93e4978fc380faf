"""The waits, leases and limits of a job, checked against each other."""

from dataclasses import dataclass

KEEP_DAYS = 30
"""Days for which an ended job is kept, where a deployment sets no other number."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Durations in milliseconds, and two limits. Values that contradict each other raise ValueError."""

    grace: int = 90_000
    """Time for which a scheduled run may stay unclaimed before the sweeper schedules the next one."""
    event_age: int = 60_000
    """Age at which Lambda drops an event that no worker has taken (`MaximumEventAgeInSeconds`)."""
    worker_timeout: int = 300_000
    """Time after which Lambda ends a worker (`Timeout`)."""
    lease: int = 330_000
    """Time for which a claimed run owns its job. It is never renewed."""
    deadline: int = 86_400_000
    """Time for which a job may stay open."""
    max_lost_runs: int = 3
    """Number of runs that may be lost, or finish no shot, before the job is ended."""
    max_hops: int = 8
    """Number of runs that may start one another before the sweeper starts the next chain."""
    heartbeat: int = 10_000
    """Time without a snapshot after which a worker sends a heartbeat. The response says if it must stop."""
    sweep_interval: int = 60_000
    """Time between two sweeps."""
    silence: int = 25_000
    """Time for which a suspected worker must be silent before its run is taken over."""
    max_recoveries: int = 5
    """Number of runs in one chain that records of failed invocations may start. Then the sweeper goes on."""
    lease_margin: int = 15_000
    """Least by which a lease exceeds the worker's time-out, because clocks differ and claims take time."""

    def __post_init__(self) -> None:
        rules = {
            "lease must be at least worker_timeout + lease_margin": (
                self.lease >= self.worker_timeout + self.lease_margin
            ),
            "event_age must not be above grace": self.event_age <= self.grace,
            "deadline must be above grace + lease": self.deadline > self.grace + self.lease,
            "max_lost_runs must be 0 or more": self.max_lost_runs >= 0,
            "heartbeat must be below lease": 0 < self.heartbeat < self.lease,
            "silence must be above two heartbeats": self.silence > 2 * self.heartbeat,
            "max_hops + max_recoveries must be at most 14": self.max_hops + self.max_recoveries <= 14,
            "sweep_interval must not be above grace": 0 < self.sweep_interval <= self.grace,
            "max_hops must be 1 to 14: Lambda stops a chain of 16": 1 <= self.max_hops <= 14,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError("; ".join(broken))

    def backoff(self, retries: int, jitter: float) -> int:
        """Return the extra wait before the next sweep of a job: it doubles with each retry, to 15 minutes.

        `jitter` in [0, 1) takes away up to half, so that jobs lost together do not return together.
        """
        longest = min(self.grace * ((1 << retries) - 1), 900_000)
        return round(longest * (1 - jitter / 2))
