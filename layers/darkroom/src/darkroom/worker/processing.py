"""Process the pictures of one run: more carefully after workers of the job ran out of memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from darkroom.ports import ImageProcessor, RawImage
from darkroom.worker.run_state import RunState


@dataclass(kw_only=True)
class Processing:
    """The processing of a run's pictures.

    After one loss for memory, one picture at a time is processed. After two, each shot is named in an
    acknowledged snapshot before: if the worker is lost again, the shot that it was processing is known.
    """

    processor: ImageProcessor
    state: RunState
    acknowledge: Callable[[], Awaitable[None]]
    """Send a snapshot and return when it is acknowledged; raise Undeliverable, Superseded or Cancelled."""
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def process(self, raw: RawImage, shot_id: str) -> bytes:
        """Return the JPEG of a provider's picture; raise ShotError, or what `acknowledge` raises."""
        if self.state.order.memory_losses == 0:
            return await self._process(raw, shot_id)
        async with self._one_at_a_time:
            if self.state.order.memory_losses == 1:
                return await self._process(raw, shot_id)
            return await self._process_named(raw, shot_id)

    async def _process_named(self, raw: RawImage, shot_id: str) -> bytes:
        self.state.processing = shot_id
        try:
            await self.acknowledge()
            return await self._process(raw, shot_id)
        finally:
            self.state.processing = None

    async def _process(self, raw: RawImage, shot_id: str) -> bytes:
        facts = {"case": self.state.order.case.case_id, "shot": shot_id, "model": raw.model}
        return await self.processor.process(raw, facts)
