"""Run a work order: claim it, make its pictures, report as they come, end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.adoption import adopted
from darkroom.domain.case import Shot, ShotKind, batches, image_key
from darkroom.domain.errors import Cancelled, ShotError, StorageFailed, Superseded, Undeliverable
from darkroom.domain.job import Failure
from darkroom.domain.progress import Snapshot, SnapshotKind
from darkroom.domain.quota import Turn
from darkroom.domain.work import WorkOrder
from darkroom.ports import Clock, Jitter, NewId, QuotaStore, SnapshotChannel
from darkroom.usecases.admit import Admission, Postponed, Requests, Source
from darkroom.usecases.hedge import Hedger
from darkroom.usecases.make_shot import MakeShot
from darkroom.usecases.report_run import Reporter, ReportPolicy

DAY_MS = 86_400_000

type Remaining = Callable[[], float]
"""Seconds until this worker is killed."""


class Ending(StrEnum):
    """How a run went. Only `ENDED` means the job has reached its own end."""

    EXPIRED = "expired"
    """The event came too late to be claimed; nothing was spent."""
    UNCLAIMED = "unclaimed"
    """The claim was not acknowledged; nothing was spent."""
    SUPERSEDED = "superseded"
    """Another run or worker owns the job."""
    CANCELLED = "cancelled"
    """The caller cancelled the job."""
    CONTINUED = "continued"
    """The time was over; another run makes what is left."""
    WAITING = "waiting"
    """The quota has no start for a while; another run goes on then."""
    UNREPORTED = "unreported"
    """The final snapshot did not arrive; the sweeper takes over when the lease ends."""
    ENDED = "ended"


@dataclass(kw_only=True)
class Ledger:
    """What a run has achieved so far; the only thing of a run that changes."""

    images: dict[str, str]
    cost_micro_usd: int
    wasted_micro_usd: int
    failures: dict[str, Failure] = field(default_factory=dict)
    defects: list[Exception] = field(default_factory=list)
    """What no adapter was expected to raise; the shot failed, the rest of the case went on."""
    models: Counter[str] = field(default_factory=Counter)
    """How many pictures each model made, by its own account."""
    requests: int = 0
    """How many of this run's may cost something."""
    postponed: list[int | None] = field(default_factory=list)
    """Of each shot left to another run: when the quota has a start for it, None if it was time that ended."""

    @property
    def waiting_until(self) -> int | None:
        """When the next run can go on; None when nothing but time was wanting."""
        until = [at for at in self.postponed if at is not None]
        return min(until) if until and len(until) == len(self.postponed) else None

    def billed(self, micro_usd: int, useful: bool) -> None:
        """A request may cost so much."""
        self.requests += 1
        self.cost_micro_usd += micro_usd
        self.wasted_micro_usd += 0 if useful else micro_usd


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What the worker answers and logs."""

    ending: Ending
    ledger: Ledger
    seconds: float
    undelivered: int = 0


@dataclass(frozen=True, kw_only=True)
class DevelopCase:
    """No request is made before the claim is acknowledged; every picture is stored before it is reported.

    Batches are the unit of progress, not barriers: all shots flow under one concurrency limit,
    evidence first. A shot that cannot finish in the time left is not started: another run makes it.
    """

    make_shot: MakeShot
    sources: Sequence[Source]
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
    """Kept back at the end of the worker's time for the final snapshot."""
    hedge_share: float
    strict_batches: bool = False
    """Whether a batch waits for all of the one before."""
    daily_budget_micro_usd: int | None = None
    """What all jobs together may cost in a day (UTC)."""

    async def __call__(self, order: WorkOrder, remaining_s: Remaining) -> RunReport:
        started = asyncio.get_running_loop().time()
        ledger = Ledger(
            images=dict(order.done),
            failures=dict(order.failed),
            cost_micro_usd=order.spent_micro_usd,
            wasted_micro_usd=order.wasted_micro_usd,
        )
        reporter = self._reporter(order, ledger)
        ending = await self._run(order, ledger, reporter, remaining_s)
        seconds = asyncio.get_running_loop().time() - started
        return RunReport(ending=ending, ledger=ledger, seconds=seconds, undelivered=reporter.undelivered)

    async def _run(
        self, order: WorkOrder, ledger: Ledger, reporter: Reporter, remaining_s: Remaining
    ) -> Ending:
        if self.clock() >= order.claim_before:
            return Ending.EXPIRED
        claimed = False
        try:
            await reporter.claim()
            claimed = True
            await self._adopt(order, ledger)
            await self._make_all(order, ledger, reporter, remaining_s)
            left = len(order.case.shots) - len(ledger.images) - len(ledger.failures)
            await reporter.finish(SnapshotKind.CONTINUE if left else SnapshotKind.END, remaining_s)
        except Cancelled:
            return await self._stop(reporter, remaining_s)
        except Superseded:
            return Ending.SUPERSEDED
        except (Undeliverable, StorageFailed):
            return Ending.UNREPORTED if claimed else Ending.UNCLAIMED
        if left:
            return Ending.CONTINUED if ledger.waiting_until is None else Ending.WAITING
        return Ending.ENDED

    async def _stop(self, reporter: Reporter, remaining_s: Remaining) -> Ending:
        """Say what was made before the cancellation was heard; the lease ends with it."""
        with suppress(Undeliverable, Superseded, Cancelled):
            await reporter.finish(SnapshotKind.STOPPED, remaining_s)
        return Ending.CANCELLED

    async def _adopt(self, order: WorkOrder, ledger: Ledger) -> None:
        """Take over what earlier runs stored and did not report."""
        if order.run == 1:
            return
        case, shots = order.case, order.case.shots
        keys = await self.make_shot.images.stored(case.case_id, order.job_id)
        found = adopted(shots, keys, case_id=case.case_id, job_id=order.job_id)
        ledger.images = {**found, **ledger.images}
        ledger.failures = {i: f for i, f in ledger.failures.items() if i not in ledger.images}

    async def _make_all(
        self, order: WorkOrder, ledger: Ledger, reporter: Reporter, remaining_s: Remaining
    ) -> None:
        settled = {*ledger.images, *ledger.failures}
        todo = [shot for shot in order.case.shots if shot.id not in settled]
        admissions = self._admissions(order)
        hedger = Hedger(self.hedge_share, len(todo))
        first = asyncio.Event()

        async def make(shot: Shot) -> None:
            await self._make(order, shot, ledger, admissions, hedger, remaining_s)
            hedger.finished(shot.id)
            if hedger.unfinished:  # else the last snapshot says it
                reporter.mark(urgent=shot.id in ledger.images and not first.is_set())
            if shot.id in ledger.images:
                first.set()

        async def make_batch(batch: Sequence[Shot]) -> None:
            async with asyncio.TaskGroup() as shots:
                for shot in batch:
                    shots.create_task(make(shot))
            if hedger.unfinished:
                reporter.mark(urgent=True)

        told_to_stop: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as everything:
                everything.create_task(reporter.run())
                async with asyncio.TaskGroup() as making:
                    for batch in batches(todo, self.batch_sizes):
                        task = making.create_task(make_batch(batch))
                        if self.strict_batches:
                            await task
                reporter.close()
        except* (Superseded, Cancelled) as group:  # what was in flight has been cancelled
            told_to_stop.extend(group.exceptions)
        finally:
            for admission in admissions:
                await admission.close()
        if told_to_stop:
            raise told_to_stop[0]

    def _admissions(self, order: WorkOrder) -> list[Admission]:
        purses = {}
        if order.case.max_cost_micro_usd is not None:
            purses[f"job:{order.job_id}"] = order.case.max_cost_micro_usd
        if self.daily_budget_micro_usd is not None:
            purses[f"day:{self.clock() // DAY_MS}"] = self.daily_budget_micro_usd
        requests = Requests(slots=asyncio.Semaphore(self.concurrency))
        return [
            Admission(
                source=source,
                store=self.quota,
                clock=self.clock,
                jitter=self.jitter,
                purses=purses,
                requests=requests,
                deadline_at=order.deadline_at,
                turn=Turn.RETURNING if order.returning else Turn.NEW,
            )
            for source in self.sources
        ]

    async def _make(
        self,
        order: WorkOrder,
        shot: Shot,
        ledger: Ledger,
        admissions: Sequence[Admission],
        hedger: Hedger,
        remaining_s: Remaining,
    ) -> None:
        key = image_key(order.case.case_id, order.job_id, shot, order.run)
        try:
            model = await self.make_shot(
                shot,
                case_id=order.case.case_id,
                key=key,
                admissions=admissions,
                hedger=hedger,
                left_s=lambda: remaining_s() - self.reserve_s,
                billed=ledger.billed,
            )
            ledger.images[shot.id] = key
            ledger.models[model] += 1
        except Postponed as postponed:
            ledger.postponed.append(postponed.until)
        except ShotError as error:
            ledger.failures[shot.id] = Failure.of(error)
        except Exception as defect:  # noqa: BLE001 - one shot's defect must not take the others down
            ledger.defects.append(defect)
            ledger.failures[shot.id] = Failure(code="internal", message="an unexpected error", retryable=True)

    def _reporter(self, order: WorkOrder, ledger: Ledger) -> Reporter:
        claim = self.new_id()

        def made(kind: ShotKind) -> dict[str, str]:
            ids = [shot.id for shot in order.case.shots if shot.kind is kind]
            return {shot_id: ledger.images[shot_id] for shot_id in ids if shot_id in ledger.images}

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
                failures=dict(ledger.failures),
                cost_micro_usd=ledger.cost_micro_usd,
                wasted_micro_usd=ledger.wasted_micro_usd,
                waiting_until=ledger.waiting_until if kind is SnapshotKind.CONTINUE else None,
            )

        return Reporter(self.channel, order.webhook_url, describe, jitter=self.jitter, policy=self.reports)
