"""The fake of the recovery function's queue."""

from dataclasses import dataclass, field
from typing import override

from darkroom.domain.errors import Contention
from darkroom.domain.recovery import SecondLook
from darkroom.ports import RecoveryQueue


@dataclass
class RecordedLooks(RecoveryQueue):
    """A queue that keeps what is sent, with its delay in seconds."""

    sent: list[tuple[SecondLook, int]] = field(default_factory=list)
    is_down: bool = False

    @override
    def send(self, look: SecondLook, *, delay_s: int) -> None:
        if self.is_down:
            raise Contention("the queue cannot be reached")
        self.sent.append((look, delay_s))
