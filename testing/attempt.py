"""One shot made in virtual time."""

import asyncio
from collections.abc import Sequence

from darkroom.domain.errors import ShotError
from darkroom.domain.history import Event
from darkroom.domain.quota import Limits, Turn
from darkroom.ports import RawImage
from darkroom.settings import WorkerSettings
from darkroom.worker.attempts import RacePolicy
from darkroom.worker.generate_image import MakeShot
from darkroom.worker.hedger import Hedger
from darkroom.worker.rate_limiter import Admission, Postponed, Requests

from testing.builders import a_case, a_source
from testing.fakes import InstantDeveloper, LoopClock, MemoryImages, MemoryQuota, Reply, ScriptedProvider
from testing.virtual_time import run

SHOT = a_case().shots[0]
SETTINGS = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s")
POLICY = RacePolicy(request_timeout=60, shot_timeout=120, base=1, cap=20)


class Attempt:
    """One shot made in virtual time, and all that can be seen of it."""

    def __init__(
        self,
        replies: Sequence[Reply],
        *,
        run_s: float = 300,
        hedges: int = 0,
        others: int = 9,
        bad: ShotError | None = None,
        unstored: ShotError | None = None,
        fallback: Sequence[Reply] | None = None,
        limits: Limits | None = None,
        quota: MemoryQuota | None = None,
        purses: dict[str, int] | None = None,
    ) -> None:
        self.provider = ScriptedProvider(replies={"": list(replies)})
        self.fallback = ScriptedProvider(replies={"": list(fallback or [])})
        self.images = MemoryImages(error=unstored)
        self.developer = InstantDeveloper(bad)
        self.quota = quota or MemoryQuota()
        self.billed: list[bool] = []
        self.events: list[Event] = []
        self.error: ShotError | Postponed | None = None
        self.model = ""
        sources = [a_source(self.provider, limits=limits)]
        if fallback is not None:
            sources.append(a_source(self.fallback, "other/model"))
        make = MakeShot(
            developer=self.developer,
            images=self.images,
            jitter=lambda: 0.5,
            policy=POLICY,
            fallback_on=SETTINGS.fallback_codes,
        )

        async def timed() -> float:
            loop = asyncio.get_running_loop()
            requests = Requests(slots=asyncio.Semaphore(4))
            admissions = [
                Admission(
                    source=source,
                    store=self.quota,
                    clock=LoopClock(),
                    jitter=lambda: 0.5,
                    purses=purses or {},
                    requests=requests,
                    deadline_at=LoopClock().start + 86_400_000,
                    turn=Turn.NEW,
                    usable_s=lambda: 225.0,
                )
                for source in sources
            ]
            hedger = Hedger(1.0, hedges)
            hedger.unfinished = 1 + others
            try:
                self.model = await make(
                    SHOT,
                    case_id="case-1",
                    key="the-key",
                    admissions=admissions,
                    hedger=hedger,
                    left_s=lambda: run_s - loop.time(),
                    billed=lambda price, useful: self.billed.append(useful),
                    note=self.events.append,
                )
            except (ShotError, Postponed) as error:
                self.error = error
            self.in_flight = requests.now
            ended = loop.time()
            for admission in admissions:
                await admission.close()
            return ended

        self.seconds = run(timed())


def after(seconds: float, error: ShotError) -> Reply:
    async def reply() -> RawImage:
        await asyncio.sleep(seconds)
        raise error

    return reply
