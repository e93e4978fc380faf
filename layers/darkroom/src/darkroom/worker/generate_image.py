"""Generate and store the picture of a shot: by the first image model, or the next if that can help."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darkroom.domain.case import Shot, image_key
from darkroom.domain.job import Failure
from darkroom.domain.shot_errors import ShotError, StorageFailed
from darkroom.ports import ImageStore
from darkroom.worker.attempts import Attempts, Picture
from darkroom.worker.rate_limiter import Postponed, RateLimiter
from darkroom.worker.run_tools import RunTools

PUT_TIMEOUT_S = 13.0
"""Seconds that storing a picture may take. The storage's own time-outs and retries end before.

A run keeps back more than that for its end, so that the last picture is stored, or known not to be.
"""


@dataclass(frozen=True, kw_only=True)
class GenerateImage:
    """The way of one shot to its picture. The run's state records its picture, failure or postponement."""

    tools: RunTools
    limiters: Sequence[RateLimiter]
    """Rate limiters of the image models, in the order in which these are tried."""
    images: ImageStore
    fallback_on: frozenset[str]
    """Codes of errors after which the next image model is tried."""

    async def __call__(self, shot: Shot) -> None:
        """Generate the picture of `shot`; an unexpected error fails this shot only. Raise MemoryError."""
        state = self.tools.state
        try:
            await self.generate(shot)
        except Postponed as postponed:
            state.postponed.append(postponed.until)
        except ShotError as error:
            state.failures[shot.id] = Failure.of(error)
        except MemoryError:
            raise  # the whole worker has no memory left: the next one must be more careful
        except Exception as defect:  # noqa: BLE001 - one shot's defect must not take the others down
            state.defects.append(defect)
            state.failures[shot.id] = Failure(code="internal", message="an unexpected error", retryable=True)

    async def generate(self, shot: Shot) -> None:
        """Generate and store the picture of `shot`; raise ShotError or Postponed."""
        picture = await self._picture(shot)
        key = self._key(shot)
        await self._store(key, picture.jpeg, {"shot": shot.id, "model": picture.raw.model})
        self.tools.state.images[shot.id] = key
        self.tools.state.models[picture.raw.model] += 1

    async def _picture(self, shot: Shot) -> Picture:
        """Return the picture of the first image model that makes it; raise the last one's error."""
        error: ShotError | None = None
        for limiter in self.limiters:
            if error is not None and error.code not in self.fallback_on:
                break
            try:
                return await Attempts(shot=shot, limiter=limiter, tools=self.tools).run()
            except ShotError as failed:
                error = failed
        assert error is not None
        raise error

    def _key(self, shot: Shot) -> str:
        order = self.tools.state.order
        return image_key(
            order.case.case_id, order.job_id, shot.id, digest=order.digests[shot.id], run=order.run
        )

    async def _store(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(PUT_TIMEOUT_S):
                await self.images.put(key, jpeg, facts)
        except TimeoutError as error:
            raise StorageFailed("the picture could not be stored in time") from error
