"""Run a work order: claim it, make its pictures, report as they come, end."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from darkroom.domain.adoption import adopted
from darkroom.domain.case import Shot, ShotKind, batches, image_key
from darkroom.domain.errors import Cancelled, ShotError, StorageFailed, Superseded, Undeliverable
from darkroom.domain.history import Event, EventKind
from darkroom.domain.job import Failure
from darkroom.domain.quota import Budget, Turn
from darkroom.domain.run import WorkOrder
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.ports import Clock, Jitter, NewId, QuotaStore, SnapshotChannel
from darkroom.worker.generate_image import GenerateImage
from darkroom.worker.hedger import Hedger
from darkroom.worker.rate_limiter import Admission, ImageModel, Postponed, Requests
from darkroom.worker.reporter import Reporter, ReportPolicy
from darkroom.worker.run_state import Ending, RunReport, RunState

DAY_MS = 86_400_000

type Remaining = Callable[[], float]
"""Seconds until this worker is killed."""


@dataclass(frozen=True, kw_only=True)
class RunJob:
    """No request is made before the claim is acknowledged; every picture is stored before it is reported.

    Batches are the unit of progress, not barriers: all shots flow under one concurrency limit,
    evidence first. A shot that cannot finish in the time left is not started: another run makes it.
    """

    generate_image: GenerateImage
    image_models: Sequence[ImageModel]
    """The provider that is asked first, then the one to fall back on."""
    quota: QuotaStore
    channel: SnapshotChannel
    clock: Clock
    new_id: NewId
    jitter: Jitter
    reports: ReportPolicy
    batch_sizes: dict[ShotKind, int]
    concurrency: int
    reserve_s: float
    """StoredQuota back at the end of the worker's time for the final snapshot."""
    hedge_share: float
    strict_batches: bool = False
    """Whether a batch waits for all of the one before."""
    daily_budget_micro_usd: int | None = None
    """What all jobs together may cost in a day (UTC)."""

    async def __call__(self, order: WorkOrder, remaining_s: Remaining) -> RunReport:
        started = asyncio.get_running_loop().time()
        state = RunState(
            images=dict(order.done),
            failures=dict(order.failed),
            cost_micro_usd=order.spent_micro_usd,
            wasted_micro_usd=order.wasted_micro_usd,
            asked=frozenset(image_model.model for image_model in self.image_models),
        )
        reporter = self._reporter(order, state)
        ending = await self._run(order, state, reporter, remaining_s)
        seconds = asyncio.get_running_loop().time() - started
        return RunReport(ending=ending, state=state, seconds=seconds, undelivered=reporter.undelivered)

    async def _run(
        self, order: WorkOrder, state: RunState, reporter: Reporter, remaining_s: Remaining
    ) -> Ending:
        if self.clock() >= order.claim_before:
            return Ending.EXPIRED
        claimed = False
        try:
            await reporter.claim()
            claimed = True
            await self._adopt(order, state)
            await self._make_all(order, state, reporter, remaining_s)
            left = len(order.case.shots) - len(state.images) - len(state.failures)
            await reporter.finish(SnapshotKind.CONTINUE if left else SnapshotKind.END, remaining_s)
        except Cancelled:
            return await self._stop(reporter, remaining_s)
        except Superseded:
            return Ending.SUPERSEDED
        except (Undeliverable, StorageFailed):
            return Ending.UNREPORTED if claimed else Ending.UNCLAIMED
        if left:
            return Ending.CONTINUED if state.waiting_until is None else Ending.WAITING
        return Ending.ENDED

    async def _stop(self, reporter: Reporter, remaining_s: Remaining) -> Ending:
        """Say what was made before the cancellation was heard; the lease ends with it."""
        with suppress(Undeliverable, Superseded, Cancelled):
            await reporter.finish(SnapshotKind.STOPPED, remaining_s)
        return Ending.CANCELLED

    async def _adopt(self, order: WorkOrder, state: RunState) -> None:
        """Take over what earlier runs stored and did not report, and what it has cost."""
        if order.run == 1:
            return
        case_id = order.case.case_id
        keys = await self.generate_image.images.stored(case_id, order.job_id)
        found = adopted(order.digests, keys, case_id=case_id, job_id=order.job_id)
        state.cost_micro_usd += len(found.keys() - state.images.keys()) * self.image_models[0].price_micro_usd
        state.images = {**found, **state.images}
        state.failures = {i: f for i, f in state.failures.items() if i not in state.images}

    async def _make_all(
        self, order: WorkOrder, state: RunState, reporter: Reporter, remaining_s: Remaining
    ) -> None:
        settled = {*state.images, *state.failures}
        todo = [shot for shot in order.case.shots if shot.id not in settled]
        making = _Making(
            order=order,
            state=state,
            reporter=reporter,
            generate_image=self.generate_image,
            clock=self.clock,
            admissions=self._admissions(order, remaining_s),
            hedger=Hedger(self.hedge_share, len(todo)),
            remaining_s=lambda: remaining_s() - self.reserve_s,
        )
        try:
            await making.all(batches(todo, self.batch_sizes), strict=self.strict_batches)
        finally:
            for admission in making.admissions:
                state.throttles += admission.throttles
                await admission.close()

    def _admissions(self, order: WorkOrder, remaining_s: Remaining) -> list[Admission]:
        budgets = self._budgets(order)
        requests = Requests(slots=asyncio.Semaphore(self.concurrency))
        not_for_starts = self.reserve_s + self.generate_image.policy.request_timeout
        return [
            Admission(
                image_model=image_model,
                store=self.quota,
                clock=self.clock,
                jitter=self.jitter,
                budgets={budget.name: budget.limit for budget in budgets},
                known=budgets,
                requests=requests,
                deadline_at=order.deadline_at,
                turn=Turn.RETURNING if order.returning else Turn.NEW,
                usable_s=lambda: remaining_s() - not_for_starts,
            )
            for image_model in self.image_models
        ]

    def _budgets(self, order: WorkOrder) -> list[Budget]:
        budgets = []
        if order.case.max_cost_micro_usd is not None:
            job = Budget(
                name=f"job:{order.job_id}",
                limit=order.case.max_cost_micro_usd,
                spent=order.spent_micro_usd,
                needed_until=order.deadline_at,
            )
            budgets.append(job)
        if self.daily_budget_micro_usd is not None:
            day = self.clock() // DAY_MS
            until = (day + 1) * DAY_MS
            budgets.append(Budget(name=f"day:{day}", limit=self.daily_budget_micro_usd, needed_until=until))
        return budgets

    def _reporter(self, order: WorkOrder, state: RunState) -> Reporter:
        claim = self.new_id()

        def made(kind: ShotKind) -> dict[str, str]:
            ids = [shot.id for shot in order.case.shots if shot.kind is kind]
            return {shot_id: state.images[shot_id] for shot_id in ids if shot_id in state.images}

        def describe(kind: SnapshotKind, sequence: int) -> Snapshot:
            return Snapshot(
                case_id=order.case.case_id,
                job_id=order.job_id,
                run=order.run,
                claim=claim,
                sequence=sequence,
                kind=kind,
                total=len(order.case.shots),
                evidence_images=made(ShotKind.EVIDENCE),
                location_images=made(ShotKind.LOCATION),
                failures=dict(state.failures),
                cost_micro_usd=state.cost_micro_usd,
                wasted_micro_usd=state.wasted_micro_usd,
                price_micro_usd=self.image_models[0].price_micro_usd,
                waiting_until=state.waiting_until if kind is SnapshotKind.CONTINUE else None,
                events=tuple(state.events),
                events_omitted=state.events_omitted,
            )

        return Reporter(
            self.channel,
            order.webhook_url,
            describe,
            jitter=self.jitter,
            policy=self.reports,
            clock=self.clock,
            note=state.note,
        )


@dataclass(frozen=True, kw_only=True)
class _Making:
    """The part of a run in which pictures are made."""

    order: WorkOrder
    state: RunState
    reporter: Reporter
    generate_image: GenerateImage
    clock: Clock
    admissions: Sequence[Admission]
    hedger: Hedger
    remaining_s: Remaining
    first: asyncio.Event = field(default_factory=asyncio.Event)
    """The first picture is there."""

    async def all(self, groups: Sequence[Sequence[Shot]], *, strict: bool) -> None:
        """Make everything, reporting meanwhile; raises Superseded or Cancelled when told to stop."""
        told_to_stop: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as everything:
                everything.create_task(self._report())
                async with asyncio.TaskGroup() as making:
                    for number, group in enumerate(groups, start=1):
                        task = making.create_task(self._batch(number, group))
                        if strict:
                            await task
                self.reporter.close()
        except* (Superseded, Cancelled) as group:  # what was in flight has ended
            told_to_stop.extend(group.exceptions)
        if told_to_stop:
            raise told_to_stop[0]

    async def _report(self) -> None:
        """Report until closed. A cancelled job's pictures on their way are waited for: they are paid."""
        try:
            await self.reporter.run()
        except Cancelled:
            for admission in self.admissions:
                admission.requests.finishing = True
            raise

    async def _batch(self, number: int, batch: Sequence[Shot]) -> None:
        began = self.clock()
        async with asyncio.TaskGroup() as shots:
            for shot in batch:
                shots.create_task(self._shot(shot))
        made = sum(shot.id in self.state.images for shot in batch)
        self.state.note(
            Event(
                kind=EventKind.BATCH,
                at=began,
                milliseconds=self.clock() - began,
                outcome=f"{made} of {len(batch)}",
                number=number,
            )
        )
        self._mark(urgent=True)

    async def _shot(self, shot: Shot) -> None:
        await self._make(shot)
        self.hedger.finished(shot.id)
        made = shot.id in self.state.images
        self._mark(urgent=made and not self.first.is_set())
        if made:
            self.first.set()

    def _mark(self, *, urgent: bool) -> None:
        if self.hedger.unfinished:  # else the final snapshot says it
            self.reporter.mark(urgent=urgent)

    async def _make(self, shot: Shot) -> None:
        state, order = self.state, self.order
        key = image_key(
            order.case.case_id, order.job_id, shot.id, digest=order.digests[shot.id], run=order.run
        )
        try:
            model = await self.generate_image(
                shot,
                case_id=order.case.case_id,
                key=key,
                admissions=self.admissions,
                hedger=self.hedger,
                remaining_s=self.remaining_s,
                billed=state.billed,
                note=state.note,
            )
            state.images[shot.id] = key
            state.models[model] += 1
        except Postponed as postponed:
            state.postponed.append(postponed.until)
        except ShotError as error:
            state.failures[shot.id] = Failure.of(error)
        except Exception as defect:  # noqa: BLE001 - one shot's defect must not take the others down
            state.defects.append(defect)
            state.failures[shot.id] = Failure(code="internal", message="an unexpected error", retryable=True)
