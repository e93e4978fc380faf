"""The generation of one shot, in virtual time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from darkroom.domain.quota import Budget, Limits, Turn
from darkroom.domain.run import RunEvent, work_order
from darkroom.domain.run_policy import AttemptPolicy
from darkroom.domain.shot_errors import ShotError
from darkroom.ports import RawImage
from darkroom.settings import WorkerSettings
from darkroom.worker.generate_image import GenerateImage
from darkroom.worker.hedger import Hedger
from darkroom.worker.image_model import ImageModel
from darkroom.worker.processing import Processing
from darkroom.worker.quota_client import QuotaClient
from darkroom.worker.rate_limiter import Postponed, RateLimiter, RunSlots
from darkroom.worker.run_state import RunState
from darkroom.worker.run_tools import RunTools

from testing.builders import a_case, a_job, an_image_model
from testing.fakes.images import InstantProcessor, MemoryImages, Reply, ScriptedProvider
from testing.fakes.quota import MemoryQuota
from testing.fakes.time_and_ids import LoopClock
from testing.virtual_time import run

ORDER = work_order(a_job(), a_case(), webhook_url="")
SHOT = a_case().shots[0]
SETTINGS = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s")
POLICY = AttemptPolicy(request_timeout=60, shot_timeout=120, base=1, cap=20)


@dataclass(kw_only=True)
class RecordedCosts(RunState):
    """A run's state that also keeps a list: for each billed request, True if it was useful."""

    billed: list[bool] = field(default_factory=list)

    def record_cost(self, micro_usd: int, *, useful: bool) -> None:
        super().record_cost(micro_usd, useful=useful)
        self.billed.append(useful)


class Attempt:
    """The generation of one shot in virtual time, with its result, state and fakes."""

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
        image_models = [an_image_model(self.provider, limits=limits)]
        if fallback is not None:
            image_models.append(an_image_model(self.fallback, "other/model"))
        self.state = RecordedCosts.of(ORDER, claim="claim", request_id=None, image_models=image_models)
        self.error: ShotError | Postponed | None = None
        self.named: list[str | None] = []

        async def timed() -> float:
            loop = asyncio.get_running_loop()
            slots = RunSlots(free=asyncio.Semaphore(4))
            limiters = [self._limiter(image_model, slots, budgets or {}) for image_model in image_models]
            hedger = Hedger(1.0, hedges)
            hedger.unfinished = 1 + others
            tools = RunTools(
                state=self.state,
                hedger=hedger,
                processing=Processing(
                    processor=self.processor, state=self.state, acknowledge=self._acknowledge
                ),
                clock=LoopClock(),
                jitter=lambda: 0.5,
                attempt_policy=POLICY,
                remaining_s=lambda: run_s - loop.time(),
            )
            generate = GenerateImage(
                tools=tools,
                limiters=limiters,
                images=self.images,
                fallback_on=SETTINGS.fallback_codes,
            )
            try:
                await generate.generate(SHOT)
            except (ShotError, Postponed) as error:
                self.error = error
            self.in_flight = slots.in_flight
            ended = loop.time()
            for limiter in limiters:
                await limiter.close()
            return ended

        self.seconds = run(timed())

    async def _acknowledge(self) -> None:
        self.named.append(self.state.processing)

    @property
    def billed(self) -> list[bool]:
        return self.state.billed

    @property
    def events(self) -> list[RunEvent]:
        return self.state.events

    def _limiter(self, image_model: ImageModel, slots: RunSlots, budgets: dict[str, int]) -> RateLimiter:
        quota = QuotaClient(
            image_model=image_model,
            store=self.quota,
            clock=LoopClock(),
            jitter=lambda: 0.5,
            budgets=[Budget(name=name, limit=limit) for name, limit in budgets.items()],
            deadline_at=LoopClock().start + 86_400_000,
            turn=Turn.NEW,
            usable_s=lambda: 225.0,
        )
        return RateLimiter(quota_client=quota, slots=slots)


def after(seconds: float, error: ShotError) -> Reply:
    async def reply() -> RawImage:
        await asyncio.sleep(seconds)
        raise error

    return reply
