"""Run a work order: claim the run, make its pictures, report them as they come, and end.

No request is sent before the claim is acknowledged, and a picture is stored before it is reported.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from darkroom.domain.adoption import stored_images
from darkroom.domain.case import Shot, batches
from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.quota import Budget, Turn
from darkroom.domain.run import Ending, EventKind, RunEvent, RunReport, WorkOrder, is_supported
from darkroom.domain.run_policy import RunPolicy
from darkroom.domain.shot_errors import StorageFailed
from darkroom.domain.snapshot import SnapshotKind
from darkroom.ports import Clock, ImageProcessor, ImageStore, Jitter, NewId, QuotaStore, SnapshotChannel
from darkroom.worker.generate_image import GenerateImage
from darkroom.worker.hedger import Hedger
from darkroom.worker.image_model import ImageModel
from darkroom.worker.processing import Processing
from darkroom.worker.quota_client import QuotaClient
from darkroom.worker.rate_limiter import RateLimiter, RunSlots
from darkroom.worker.reporter import Reporter
from darkroom.worker.run_state import RunState
from darkroom.worker.run_tools import RunTools

DAY_MS = 86_400_000

type Remaining = Callable[[], float]
"""Return the seconds until this worker is killed."""


@dataclass(frozen=True, kw_only=True)
class RunJob:
    """The engine of a worker. Called with an order, it runs it and returns the report.

    One RunJob serves all runs of a worker, one after the other.
    """

    policy: RunPolicy
    image_models: Sequence[ImageModel]
    """The model that is tried first, then the one to fall back on."""
    quota_store: QuotaStore
    images: ImageStore
    processor: ImageProcessor
    channel: SnapshotChannel
    clock: Clock
    new_id: NewId
    jitter: Jitter

    async def __call__(
        self, order: WorkOrder, remaining_s: Remaining, request_id: str | None = None
    ) -> RunReport:
        """Run the order and return the report of the run. `request_id` is Lambda's id of the invocation."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        run = _Run(worker=self, order=order, remaining_s=remaining_s, request_id=request_id)
        ending = await run()
        return run.state.report(ending, seconds=loop.time() - began, undelivered=run.reporter.undelivered)


class _Run:
    """One run of one order."""

    def __init__(
        self, *, worker: RunJob, order: WorkOrder, remaining_s: Remaining, request_id: str | None
    ) -> None:
        self._worker = worker
        self._order = order
        self._remaining_s = remaining_s
        self.state = RunState.of(
            order, claim=worker.new_id(), request_id=request_id, image_models=worker.image_models
        )
        self.reporter = Reporter(
            worker.channel,
            order.webhook_url,
            self.state.snapshot,
            jitter=worker.jitter,
            policy=worker.policy.reports,
            clock=worker.clock,
            record_event=self.state.record_event,
        )

    async def __call__(self) -> Ending:
        """Run the order, and return how the run ended."""
        if self._worker.clock() >= self._order.claim_before:
            return Ending.EXPIRED
        if not is_supported(self._order):
            return Ending.UNSUPPORTED
        claimed = False
        try:
            await self.reporter.claim()
            claimed = True
            await self._work()
            return await self._send_last_snapshot()
        except Cancelled:
            return await self._stop()
        except Superseded:
            return Ending.SUPERSEDED
        except (Undeliverable, StorageFailed):
            return Ending.UNREPORTED if claimed else Ending.UNCLAIMED

    async def _work(self) -> None:
        """Adopt and make pictures while snapshots are sent; raise Superseded or Cancelled when it must stop.

        A worker that is suspected to be dead is so never silent before its last snapshot.
        """
        stop: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as everything:
                everything.create_task(self._report())
                await self._adopt()
                await self._make_pictures()
                self.reporter.close()
        except* MemoryError:
            stop.append(MemoryError("the worker has no memory left"))
        except* (Superseded, Cancelled, StorageFailed) as group:  # what was in flight has ended
            stop.extend(group.exceptions)
        if stop:
            raise stop[0]

    async def _report(self) -> None:
        """Report until closed. When the job is cancelled, let running requests end: they are billed."""
        try:
            await self.reporter.run()
        except Cancelled:
            self.state.cancelled = True
            raise

    async def _adopt(self) -> None:
        """Take over pictures that earlier runs stored and did not report."""
        order = self._order
        if order.run == 1:
            return
        case_id = order.case.case_id
        keys = await self._worker.images.stored(case_id, order.job_id)
        found = stored_images(order.digests, keys, case_id=case_id, job_id=order.job_id)
        self.state.add_stored_images(found)

    async def _make_pictures(self) -> None:
        """Generate the pictures that are left. Then give back the money of starts that were not used."""
        shots = self.state.unsettled
        policy = self._worker.policy
        limiters = self._limiters()
        tools = RunTools(
            state=self.state,
            hedger=Hedger(policy.hedge_share, len(shots)),
            processing=Processing(
                processor=self._worker.processor,
                state=self.state,
                acknowledge=self.reporter.acknowledge,
            ),
            clock=self._worker.clock,
            jitter=self._worker.jitter,
            attempt_policy=policy.attempts,
            remaining_s=lambda: self._remaining_s() - policy.reserve_s,
        )
        generate = GenerateImage(
            tools=tools,
            limiters=limiters,
            images=self._worker.images,
            fallback_on=policy.fallback_on,
        )
        run_batches = _RunBatches(generate=generate, tools=tools, reporter=self.reporter)
        try:
            await run_batches(batches(shots, policy.batch_sizes), strict=policy.strict_batches)
        finally:
            for limiter in limiters:
                await limiter.close()

    async def _send_last_snapshot(self) -> Ending:
        """Send the last snapshot: the end, or a continuation when shots are left."""
        left = self.state.unsettled
        await self.reporter.send_last(SnapshotKind.CONTINUE if left else SnapshotKind.END, self._remaining_s)
        if not left:
            return Ending.ENDED
        return Ending.CONTINUED if self.state.waiting_until is None else Ending.WAITING

    async def _stop(self) -> Ending:
        """Send the last snapshot of a cancelled job. It holds every picture made, and ends the lease."""
        with suppress(Undeliverable, Superseded, Cancelled):
            await self.reporter.send_last(SnapshotKind.STOPPED, self._remaining_s)
        return Ending.CANCELLED

    def _limiters(self) -> list[RateLimiter]:
        """Return a rate limiter for each image model. They share the run's concurrency and budgets."""
        worker, order, policy = self._worker, self._order, self._worker.policy
        slots = RunSlots(free=asyncio.Semaphore(policy.concurrency))
        budgets = self._budgets()
        not_for_starts = policy.reserve_s + policy.attempts.request_timeout
        return [
            RateLimiter(
                slots=slots,
                quota_client=QuotaClient(
                    image_model=image_model,
                    store=worker.quota_store,
                    clock=worker.clock,
                    jitter=worker.jitter,
                    budgets=budgets,
                    deadline_at=order.deadline_at,
                    turn=Turn.RETURNING if order.returning else Turn.NEW,
                    usable_s=lambda: self._remaining_s() - not_for_starts,
                ),
            )
            for image_model in worker.image_models
        ]

    def _budgets(self) -> list[Budget]:
        order = self._order
        daily = self._worker.policy.daily_budget_micro_usd
        budgets = []
        if order.case.max_cost_micro_usd is not None:
            job = Budget(
                name=f"job:{order.job_id}",
                limit=order.case.max_cost_micro_usd,
                spent=order.spent_micro_usd,
                needed_until=order.deadline_at,
            )
            budgets.append(job)
        if daily is not None:
            day = self._worker.clock() // DAY_MS
            budgets.append(Budget(name=f"day:{day}", limit=daily, needed_until=(day + 1) * DAY_MS))
        return budgets


@dataclass(frozen=True, kw_only=True)
class _RunBatches:
    """Generate the pictures of batches, evidence first. All batches share the run's concurrency."""

    generate: GenerateImage
    tools: RunTools
    reporter: Reporter
    first: asyncio.Event = field(default_factory=asyncio.Event)
    """Event that is set when the first picture is stored."""

    async def __call__(self, all_batches: Sequence[Sequence[Shot]], *, strict: bool) -> None:
        """Generate all pictures, and tell the reporter of each; `strict` makes one batch after the other."""
        async with asyncio.TaskGroup() as pictures:
            for number, batch in enumerate(all_batches, start=1):
                task = pictures.create_task(self._batch(number, batch))
                if strict:
                    await task

    async def _batch(self, number: int, batch: Sequence[Shot]) -> None:
        began_at = self.tools.clock()
        async with asyncio.TaskGroup() as shots:
            for shot in batch:
                shots.create_task(self._shot(shot))
        made = sum(shot.id in self.tools.state.images for shot in batch)
        self.tools.state.record_event(
            RunEvent(
                kind=EventKind.BATCH,
                at=began_at,
                milliseconds=self.tools.clock() - began_at,
                outcome=f"{made} of {len(batch)}",
                number=number,
            )
        )
        self._mark(urgent=True)

    async def _shot(self, shot: Shot) -> None:
        await self.generate(shot)
        self.tools.hedger.shot_done(shot.id)
        made = shot.id in self.tools.state.images
        self._mark(urgent=made and not self.first.is_set())
        if made:
            self.first.set()

    def _mark(self, *, urgent: bool) -> None:
        if self.tools.hedger.unfinished:  # otherwise the last snapshot reports it
            self.reporter.mark(urgent=urgent)
