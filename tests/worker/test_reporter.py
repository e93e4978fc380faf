"""The snapshots of a run, whatever becomes of each, in virtual time."""

import asyncio
from contextlib import suppress

import pytest
from darkroom.domain.errors import Undeliverable
from darkroom.domain.run import Ending, RunEvent
from darkroom.domain.run_policy import ReportPolicy
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.worker.reporter import Reporter

from testing.builders import a_case, a_snapshot
from testing.fakes.snapshots import RecordedSnapshots
from testing.fakes.time_and_ids import LoopClock
from testing.virtual_time import run
from testing.worker import WorkerWorld, an_order, refusing

CASE = a_case()
STRANGE = (ValueError("broken"), RuntimeError("a defect"), ExceptionGroup("several", [OSError("no")]))


def a_reporter(channel: RecordedSnapshots, events: list[RunEvent]) -> Reporter:
    return Reporter(
        channel,
        "https://api.example/hook",
        lambda kind, sequence: a_snapshot(CASE, kind, sequence),
        jitter=lambda: 0.5,
        policy=ReportPolicy(),
        clock=LoopClock(),
        record_event=events.append,
    )


@pytest.mark.parametrize("error", [Undeliverable("ConnectError", retryable=True), *STRANGE], ids=repr)
def test_an_undelivered_snapshot_is_counted_and_the_next_one_holds_everything(error: Exception) -> None:
    channel, events = RecordedSnapshots(respond=refusing(error, lambda s: s.sequence <= 2)), list[RunEvent]()

    async def report() -> Reporter:
        reporter = a_reporter(channel, events)
        reporting = asyncio.create_task(reporter.run())
        for _ in range(3):
            reporter.mark(urgent=True)
            await asyncio.sleep(20)
        reporter.close()
        await reporting
        return reporter

    reporter = run(report())
    assert reporter.undelivered == 2
    assert [s.sequence for s in channel.sent][:9] == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert channel.arrived[0].sequence == 3
    assert {event.outcome for event in events} == {
        "delivered",
        str(error) if isinstance(error, Undeliverable) else type(error).__name__,
    }


@pytest.mark.parametrize("error", STRANGE, ids=repr)
@pytest.mark.parametrize("kind", [SnapshotKind.CLAIM, SnapshotKind.PROGRESS, SnapshotKind.END])
def test_no_exception_of_the_channel_loses_a_picture(error: Exception, kind: SnapshotKind) -> None:
    world = WorkerWorld()
    first = [True]

    def once(snapshot: Snapshot) -> bool:
        return snapshot.kind is kind and bool(first and first.pop())

    world.channel.respond = refusing(error, once)
    report = world.run_job(an_order(CASE))
    assert (report.ending, len(report.images), first) == (Ending.ENDED, 14, [])
    assert world.channel.arrived[-1].kind is SnapshotKind.END


def test_a_claim_that_always_raises_spends_nothing() -> None:
    world = WorkerWorld()
    world.channel.respond = refusing(ValueError("broken"), lambda s: True)
    report = world.run_job(an_order(CASE))
    assert (report.ending, world.provider.prompts) == (Ending.UNCLAIMED, [])


def test_a_cancelled_report_is_not_counted_as_undelivered() -> None:
    channel = RecordedSnapshots(seconds=60)

    async def report() -> Reporter:
        reporter = a_reporter(channel, [])
        reporter.mark(urgent=True)
        reporting = asyncio.create_task(reporter.run())
        await asyncio.sleep(10)
        reporting.cancel()
        with suppress(asyncio.CancelledError):
            await reporting
        assert reporting.cancelled()
        return reporter

    assert run(report()).undelivered == 0
    assert len(channel.sent) == 1
