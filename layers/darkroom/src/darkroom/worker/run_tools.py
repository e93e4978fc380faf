"""What the parts of one run share."""

from collections.abc import Callable
from dataclasses import dataclass

from darkroom.ports import ImageProcessor, Jitter
from darkroom.worker.hedger import Hedger
from darkroom.worker.run_state import RunState


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
class RunTools:
    """The state, the helpers and the limits of one run, for everything that makes its pictures."""

    case_id: str
    state: RunState
    hedger: Hedger
    processor: ImageProcessor
    jitter: Jitter
    attempts: AttemptPolicy
    remaining_s: Callable[[], float]
    """Return the seconds for which the run can still wait for a picture."""
