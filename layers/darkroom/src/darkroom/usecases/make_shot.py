"""Make one picture and store it, within its deadline."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from darkroom.domain.case import Shot
from darkroom.domain.errors import BadImage, ShotError, TimedOut
from darkroom.ports import Developer, ImageProvider, ImageStore, Jitter, RawImage


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Full jitter: the wait before try n+1 is random in [0, base * 2^(n-1)], `cap` seconds at most."""

    base_s: float = 1.0
    cap_s: float = 20.0

    def wait(self, tries: int, jitter: float) -> float:
        """Seconds to wait after `tries` failed ones; `jitter` is in [0, 1)."""
        return jitter * min(self.cap_s, self.base_s * 2.0 ** (tries - 1))


@dataclass(frozen=True, kw_only=True)
class MakeShot:
    """Raises ShotError. The deadline holds by cancellation, so a trickling answer ends at it too."""

    provider: ImageProvider
    developer: Developer
    images: ImageStore
    jitter: Jitter
    retry: RetryPolicy

    async def __call__(
        self, shot: Shot, *, key: str, timeout_s: float, billed: Callable[[bool], None]
    ) -> None:
        """Store the picture under `key`; calls `billed(useful)` for every answer with a picture."""
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                raw, jpeg = await self._made(shot, deadline, billed)
                facts = {"shot": shot.id, "model": raw.model, "prompt-digest": shot.digest}
                await self.images.put(key, jpeg, facts)
        except TimeoutError as error:
            raise TimedOut(f"no picture within {timeout_s:.0f} s") from error

    async def _made(
        self, shot: Shot, deadline: asyncio.Timeout, billed: Callable[[bool], None]
    ) -> tuple[RawImage, bytes]:
        tries = 0
        while True:
            tries += 1
            try:
                raw = await self.provider.generate(shot.prompt, timeout_s=_left(deadline))
                return raw, await self._developed(raw, billed)
            except ShotError as error:
                wait = max(error.retry_after or 0.0, self.retry.wait(tries, self.jitter()))
                if tries >= error.max_tries or wait >= _left(deadline):
                    raise
                await asyncio.sleep(wait)

    async def _developed(self, raw: RawImage, billed: Callable[[bool], None]) -> bytes:
        try:
            jpeg = await self.developer.develop(raw)
        except BadImage:
            billed(False)
            raise
        billed(True)
        return jpeg


def _left(deadline: asyncio.Timeout) -> float:
    """Seconds until `deadline`, on the event loop's own clock."""
    when = deadline.when()
    assert when is not None
    return max(0.0, when - asyncio.get_running_loop().time())
