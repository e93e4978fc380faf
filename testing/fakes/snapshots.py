"""The fake of the connection from worker to webhook."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import override

from darkroom.domain.snapshot import Snapshot
from darkroom.ports import SnapshotChannel

type SnapshotResponse = Callable[[Snapshot], None]


@dataclass
class RecordedSnapshots(SnapshotChannel):
    """A SnapshotChannel that keeps what was sent and what arrived. `respond` may raise an error."""

    arrived: list[Snapshot] = field(default_factory=list)
    sent: list[Snapshot] = field(default_factory=list)
    seconds: float = 0.0
    respond: SnapshotResponse = lambda snapshot: None
    in_flight: int = 0
    most_in_flight: int = 0

    @override
    async def send(self, snapshot: Snapshot, url: str) -> None:
        self.sent.append(snapshot)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
            self.respond(snapshot)
            self.arrived.append(snapshot)
        finally:
            self.in_flight -= 1
