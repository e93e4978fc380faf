"""The numbers of a worker: limits, time-outs, waits and shares, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from darkroom.domain.case import ShotKind
from darkroom.domain.timing import Timing


@dataclass(frozen=True, kw_only=True)
class AttemptPolicy:
    """Time-outs and waits of a shot's attempts, in seconds.

    The wait before attempt n+1 has full jitter: random in [0, base * 2^(n-1)], `cap` at most.
    """

    request_timeout: float = 60.0
    shot_timeout: float = 120.0
    """Time for all requests and waits of a shot. Waiting for the quota does not count."""
    hedge_again: float = 1.0
    """Wait before another extra request when one has failed or could not start."""
    last_wait: float = 20.0
    """Time for a request in flight when the job is cancelled: it is billed in any case."""
    base: float = 0.5
    cap: float = 20.0

    def wait(self, failed: int, jitter: float) -> float:
        """Return the wait after `failed` attempts; `jitter` is in [0, 1)."""
        return jitter * min(self.cap, self.base * 2.0 ** (failed - 1))


@dataclass(frozen=True, kw_only=True)
class ReportPolicy:
    """Waits in seconds. The waits between attempts have full jitter: random from 0 to a doubling limit."""

    retries: int = 3
    """Number of further attempts for a snapshot that another one can repair."""
    base_s: float = 0.5
    cap_s: float = 2.0
    """Longest wait between two attempts. A worker that waits holds concurrency that others may need."""
    last_try_s: float = 8.0
    """Time that one attempt may take. With less time left no other attempt is made."""
    interval_s: float = 2.0
    """Least time between two snapshots of progress that is not urgent."""
    heartbeat_s: float = Timing.heartbeat / 1000
    """Time without a snapshot after which a heartbeat is sent."""

    def wait(self, attempts: int, jitter: float) -> float:
        """Return the wait after `attempts` failed ones; `jitter` is in [0, 1)."""
        return jitter * min(self.cap_s, self.base_s * 2.0**attempts)


@dataclass(frozen=True, kw_only=True)
class RunPolicy:
    """Numbers of a worker's run, with defaults."""

    concurrency: int = 14
    """Number of requests at once, to all image models together."""
    evidence_batch: int = 5
    location_batch: int = 4
    strict_batches: bool = False
    """True if a batch waits for the end of the one before. Else batches are only the unit of progress."""
    reserve_s: float = 15.0
    """Seconds kept back at the end of the worker's time for the last snapshot."""
    hedge_share: float = 0.5
    """Most extra requests of a run for late shots, as a share of its shots, rounded down. 0: none."""
    daily_budget_micro_usd: int | None = None
    """Most that all jobs together may cost in a day (UTC); None: no limit."""
    fallback_on: frozenset[str] = frozenset()
    """Codes of errors after which the next image model is tried."""
    attempts: AttemptPolicy = field(default_factory=AttemptPolicy)
    reports: ReportPolicy = field(default_factory=ReportPolicy)

    @property
    def batch_sizes(self) -> Mapping[ShotKind, int]:
        """Number of shots in one batch, by kind."""
        return {ShotKind.EVIDENCE: self.evidence_batch, ShotKind.LOCATION: self.location_batch}

    def __post_init__(self) -> None:
        if not 0 <= self.hedge_share <= 10:
            raise ValueError("hedge_share must be 0 to 10")
