"""The fakes around pictures: their provider, their processor and their store."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import override

from darkroom.domain.case import job_prefix
from darkroom.domain.shot_errors import ShotError
from darkroom.ports import ImageIndex, ImageProcessor, ImageProvider, ImageStore, RawImage

type Reply = float | ShotError | Callable[[], Awaitable[RawImage]]
"""Seconds until a picture comes, or an error to raise, or a function that does something else."""


@dataclass
class ScriptedProvider(ImageProvider):
    """A provider that replies by what the prompt contains.

    `replies` maps a part of a prompt to its replies: they are used in order, and the last one is repeated.
    """

    seconds: float = 1.0
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        self.prompts.append(prompt)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._reply(prompt)
        except asyncio.CancelledError:
            self.cancelled.append(prompt)
            raise
        finally:
            self.in_flight -= 1

    async def _reply(self, prompt: str) -> RawImage:
        script = next((r for part, r in self.replies.items() if part in prompt), [self.seconds])
        reply = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(reply, ShotError):
            raise reply
        if isinstance(reply, (int, float)):
            await asyncio.sleep(reply)
            return RawImage(data=prompt.encode(), model="fake-model")
        return await reply()


@dataclass
class InstantProcessor(ImageProcessor):
    """A processor that takes no time. `processed_at` holds the seconds of the loop at which it was called."""

    error: ShotError | None = None
    processed_at: list[float] = field(default_factory=list)
    facts: list[Mapping[str, str]] = field(default_factory=list)

    @override
    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        self.facts.append(facts)
        self.processed_at.append(asyncio.get_running_loop().time())
        if self.error:
            raise self.error
        return b"jpeg of " + raw.data


@dataclass
class MemoryImages(ImageStore, ImageIndex):
    """A store of pictures in memory."""

    stored_pictures: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, Mapping[str, str]] = field(default_factory=dict)
    error: ShotError | None = None

    @override
    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        if self.error:
            raise self.error
        self.stored_pictures[key] = jpeg
        self.facts[key] = facts

    @override
    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        return self.keys(case_id, job_id)

    @override
    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
        if self.error:
            raise self.error
        return [key for key in self.stored_pictures if key.startswith(job_prefix(case_id, job_id))]
