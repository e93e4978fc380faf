"""Clocks and ids that tests control."""

import asyncio
from dataclasses import dataclass


@dataclass
class ManualClock:
    """A clock that stands still until a test moves it."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@dataclass
class LoopClock:
    """A clock that follows the event loop's time."""

    start: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.start + round(asyncio.get_running_loop().time() * 1000)


@dataclass
class Ids:
    """The ids id-1, id-2, ..."""

    prefix: str = "id"
    given: int = 0

    def __call__(self) -> str:
        self.given += 1
        return f"{self.prefix}-{self.given}"
