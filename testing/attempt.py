"""One shot made in virtual time."""

import asyncio
from collections.abc import Sequence

from darkroom.domain.errors import ShotError
from darkroom.domain.history import Event
from darkroom.domain.quota import Limits, Turn
from darkroom.ports import RawImage
from darkroom.settings import WorkerSettings
from darkroom.worker.attempts import AttemptPolicy
from darkroom.worker.generate_image import GenerateImage
from darkroom.worker.hedger import Hedger
from darkroom.worker.rate_limiter import Admission, Postponed, Requests

from testing.builders import a_case, an_image_model
from testing.fakes import InstantProcessor, LoopClock, MemoryImages, MemoryQuota, Reply, ScriptedProvider
from testing.virtual_time import run

SHOT = a_case().shots[0]
SETTINGS = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s")
POLICY = AttemptPolicy(request_timeout=60, shot_timeout=120, base=1, cap=20)


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
        budgets: dict[str, int] | None = None,
    ) -> None:
        self.provider = ScriptedProvider(replies={"": list(replies)})
        self.fallback = ScriptedProvider(replies={"": list(fallback or [])})
        self.images = MemoryImages(error=unstored)
        self.processor = InstantProcessor(bad)
        self.quota = quota or MemoryQuota()
        self.billed: list[bool] = []
        self.events: list[Event] = []
        self.error: ShotError | Postponed | None = None
        self.model = ""
        image_models = [an_image_model(self.provider, limits=limits)]
        if fallback is not None:
            image_models.append(an_image_model(self.fallback, "other/model"))
        make = GenerateImage(
            processor=self.processor,
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
                    image_model=image_model,
                    store=self.quota,
                    clock=LoopClock(),
                    jitter=lambda: 0.5,
                    budgets=budgets or {},
                    requests=requests,
                    deadline_at=LoopClock().start + 86_400_000,
                    turn=Turn.NEW,
                    usable_s=lambda: 225.0,
                )
                for image_model in image_models
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
                    remaining_s=lambda: run_s - loop.time(),
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
