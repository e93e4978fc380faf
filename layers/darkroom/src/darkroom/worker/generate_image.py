"""Make one picture and store it: at the first image_model, or at the next where that can help."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from darkroom.domain.case import Shot
from darkroom.domain.errors import ShotError, StorageFailed
from darkroom.ports import ImageProcessor, ImageStore, Jitter
from darkroom.worker.attempts import AttemptPolicy, Attempts, Billed, Note, Picture
from darkroom.worker.hedger import Hedger
from darkroom.worker.rate_limiter import Admission

PUT_TIMEOUT_S = 13.0
"""Seconds that storing a picture may take; the storage's own time-outs and retries end before.

A run keeps back more than that for its end, so that a picture made last is stored or known not to be.
"""


@dataclass(frozen=True, kw_only=True)
class GenerateImage:
    """Raises ShotError, or Postponed when another run had better make the picture."""

    processor: ImageProcessor
    images: ImageStore
    jitter: Jitter
    policy: AttemptPolicy
    fallback_on: frozenset[str] = frozenset()
    """Codes of errors after which the next image_model is asked."""

    async def __call__(
        self,
        shot: Shot,
        *,
        case_id: str,
        key: str,
        admissions: Sequence[Admission],
        hedger: Hedger,
        remaining_s: Callable[[], float],
        billed: Billed,
        note: Note,
    ) -> str:
        """Store the picture under `key`; the model that made it."""
        facts = {"case": case_id, "shot": shot.id}
        errors: list[ShotError] = []
        for admission in admissions:
            if errors and errors[-1].code not in self.fallback_on:
                break
            attempts = Attempts(
                shot=shot,
                admission=admission,
                hedger=hedger,
                processor=self.processor,
                policy=self.policy,
                jitter=self.jitter,
                facts=facts,
                remaining_s=remaining_s,
                billed=billed,
                note=note,
            )
            try:
                picture = await attempts.run()
            except ShotError as error:
                errors.append(error)
                continue
            await self._store(shot, key, picture)
            return picture.raw.model
        raise errors[-1]

    async def _store(self, shot: Shot, key: str, picture: Picture) -> None:
        facts = {"shot": shot.id, "model": picture.raw.model}
        try:
            async with asyncio.timeout(PUT_TIMEOUT_S):
                await self.images.put(key, picture.jpeg, facts)
        except TimeoutError as error:
            raise StorageFailed("the picture could not be stored in time") from error
