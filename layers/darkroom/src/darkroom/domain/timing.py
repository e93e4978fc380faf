"""How long things may take: the waits, leases and limits of a job, checked against each other."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """All in milliseconds but `max_lost_runs` and `max_hops`.

    Raises ValueError when two of them contradict each other: each rule keeps a guarantee.
    """

    grace: int = 90_000
    """How long a run that was armed may stay unclaimed before the sweeper arms the next one."""
    event_age: int = 60_000
    """Lambda drops a worker's event that waited longer (`MaximumEventAgeInSeconds`)."""
    worker_timeout: int = 300_000
    """Lambda ends a worker that ran longer (`Timeout`)."""
    lease: int = 330_000
    """How long a claimed run owns its job; never renewed."""
    deadline: int = 86_400_000
    """How long a job may stay open."""
    max_lost_runs: int = 3
    """How many runs of a job may be lost, or end no shot, before the sweeper ends it."""
    max_hops: int = 8
    """How many runs may start one another before the sweeper starts the next chain."""
    heartbeat: int = 10_000
    """A worker that has nothing to say speaks this often, to hear whether to go on."""
    sweep_interval: int = 60_000
    """How often the sweeper comes."""
    lease_margin: int = 15_000
    """Clocks differ, and a worker may start a moment before its claim is stored."""

    def __post_init__(self) -> None:
        rules = {
            "lease must be at least worker_timeout + lease_margin": (
                self.lease >= self.worker_timeout + self.lease_margin
            ),
            "event_age must not be above grace": self.event_age <= self.grace,
            "deadline must be above grace + lease": self.deadline > self.grace + self.lease,
            "max_lost_runs must be 0 or more": self.max_lost_runs >= 0,
            "heartbeat must be below lease": 0 < self.heartbeat < self.lease,
            "sweep_interval must not be above grace": 0 < self.sweep_interval <= self.grace,
            "max_hops must be 1 to 14: Lambda stops a chain of 16": 1 <= self.max_hops <= 14,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError("; ".join(broken))

    def backoff(self, retries: int, jitter: float) -> int:
        """Extra wait before the sweeper looks again: doubles with each retry, 15 min at most.

        `jitter` in [0, 1) takes up to half of it away, so that jobs lost together do not return together.
        """
        longest = min(self.grace * ((1 << retries) - 1), 900_000)
        return round(longest * (1 - jitter / 2))
