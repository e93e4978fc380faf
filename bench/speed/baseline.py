"""The baseline: the algorithm that Darkroom replaces, with batches of 5, 5 and 4, one after another."""

import asyncio
from collections.abc import Awaitable, Callable

from darkroom.domain.case import Case, Shot, ShotKind, batches
from darkroom.domain.shot_errors import ShotError

BATCHES = {ShotKind.EVIDENCE: 5, ShotKind.LOCATION: 4}
TIMEOUT_S = 60.0


async def run(
    case: Case,
    make: Callable[[Shot], Awaitable[object]],
    report: Callable[[], Awaitable[object]],
    timeout_s: float = TIMEOUT_S,
) -> list[float]:
    """Request each shot once, with `timeout_s`; return the times at which pictures were reported.

    A failed shot is not repeated. Progress is reported at the end of each batch, and once more at the end.
    Times are those of the loop's clock.
    """

    async def made(shot: Shot) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await make(shot)
        except (TimeoutError, ShotError):
            return False
        return True

    seen: list[float] = []
    for batch in batches(case.shots, BATCHES):
        results = await asyncio.gather(*(made(shot) for shot in batch))
        await report()
        seen += [asyncio.get_running_loop().time()] * sum(results)
    await report()
    return seen
