"""The tools that all parts of one run share."""

from collections.abc import Callable
from dataclasses import dataclass

from darkroom.domain.run_policy import AttemptPolicy
from darkroom.ports import Clock, Jitter
from darkroom.worker.hedger import Hedger
from darkroom.worker.processing import Processing
from darkroom.worker.run_state import RunState


@dataclass(frozen=True, kw_only=True)
class RunTools:
    """The state, the helpers and the limits of one run, for everything that makes its pictures."""

    state: RunState
    hedger: Hedger
    processing: Processing
    clock: Clock
    jitter: Jitter
    attempt_policy: AttemptPolicy
    remaining_s: Callable[[], float]
    """Return the seconds for which the run can still wait for a picture."""
