"""The counts that changes of jobs add."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from darkroom.domain import metrics
from darkroom.domain.caller_actions import cancel, replacement, retry
from darkroom.domain.job import Failure, Job, Status, end
from darkroom.domain.metrics import HOUR, STEP, Count, Tally, Totals, Window, tally
from darkroom.domain.shot_errors import RetriesExhausted
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.domain.sweeping import sweep
from darkroom.usecases.count_change import CountChange
from darkroom.usecases.read_metrics import ReadMetrics
from hypothesis import given
from hypothesis import strategies as st

from testing.builders import NOW, TIMING, a_case, a_job, a_snapshot
from testing.fakes.counters import MemoryCounters
from testing.fakes.jobs import MemoryJobs
from testing.fakes.time_and_ids import ManualClock

CASE = a_case(2, 1)
DONE = ("evidence-1", "location-1")


def a_life() -> list[Job]:
    """Return the versions of two pictures and a failure, a retry that makes the third, and a replacement."""
    job = a_job(CASE)
    versions = [job]
    for later, snapshot in (
        (2_000, a_snapshot(CASE, SnapshotKind.CLAIM, 1)),
        (9_000, a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=("evidence-1",), cost=30)),
        (20_000, a_snapshot(CASE, SnapshotKind.END, 3, done=DONE, failed=("evidence-2",), cost=90)),
    ):
        job = replace(apply(job, snapshot, now=NOW + later, timing=TIMING), latency=later // 100)
        versions.append(job)
    job, _ = retry(job, CASE, {}, now=NOW + 60_000, timing=TIMING)
    versions.append(job)
    for sequence, kind, done in ((1, SnapshotKind.CLAIM, ()), (2, SnapshotKind.END, (*DONE, "evidence-2"))):
        snapshot = a_snapshot(CASE, kind, sequence, done=done, run=2, claim="claim-2", cost=120)
        job = apply(job, snapshot, now=NOW + 70_000, timing=TIMING)
        versions.append(job)
    versions.append(replacement(job, CASE, job_id="job-2", salt="another", now=NOW + 80_000, timing=TIMING))
    return versions


def counted(versions: list[Job]) -> tuple[Counter[Count], list[int]]:
    """Return the sums over all changes from one version to the next."""
    counts: Counter[Count] = Counter()
    generation = []
    old: Job | None = None
    for new in versions:
        found = tally(old, new)
        counts.update(found.counts)
        generation += [found.generation] if found.generation is not None else []
        old = new
    return counts, generation


def test_the_changes_of_a_whole_job_add_up_to_what_became_of_it() -> None:
    counts, generation = counted(a_life())
    assert counts == {
        Count.CASES: 2,
        Count.REQUESTED: 6,
        Count.COMPLETED: 3,
        Count.FAILED: 1,
        Count.COST: 120,
        Count.ENDED_PARTIAL: 1,
        Count.ENDED_COMPLETED: 1,
    }
    assert generation == [20_000]


@given(st.sets(st.integers(min_value=1, max_value=3)))
def test_skipped_versions_lose_no_picture_and_no_cost(missing: set[int]) -> None:
    seen = [job for index, job in enumerate(a_life()) if index not in missing - {3}]
    assert counted(seen) == counted(a_life())


def test_a_job_first_seen_when_it_has_ended_counts_as_ended() -> None:
    versions = a_life()
    ended = versions[3]
    found = tally(None, ended)
    assert found.counts[Count.ENDED_PARTIAL] == found.counts[Count.CASES] == 1
    assert found.generation == 20_000
    # The same of a case whose new job is first seen when it has ended, in the place of one that had.
    other = replace(ended, job_id="job-2")
    assert tally(ended, other).counts[Count.ENDED_PARTIAL] == 1


def test_waste_and_retries_count_by_difference_and_never_below_zero() -> None:
    first = a_job(CASE)
    second = replace(first, version=2, wasted_micro_usd=10, retry_count=1)
    third = replace(second, version=3, wasted_micro_usd=25, retry_count=3)
    counts, _ = counted([first, second, third])
    assert (counts[Count.WASTED], counts[Count.RETRIES]) == (25, 3)
    again, _ = retry(end(third, now=NOW, error=RetriesExhausted("x")), CASE, {}, now=NOW, timing=TIMING)
    assert tally(third, replace(again, retry_count=0)).counts.get(Count.RETRIES, 0) == 0


@pytest.mark.parametrize(
    ("found", "is_empty"),
    [
        (Tally(counts={}), True),
        (Tally(counts={Count.CASES: 1}), False),
        (Tally(counts={}, generation=0), False),
        (Tally(counts={}, webhook=0), False),
    ],
)
def test_a_change_that_adds_anything_is_not_empty(found: Tally, is_empty: bool) -> None:
    assert found.is_empty is is_empty


def test_a_refusal_is_no_failure() -> None:
    job = replace(
        a_job(CASE), failures={"evidence-1": Failure(code="refused", message="no", retryable=False)}
    )
    found = tally(job, end(job, now=NOW + 5, error=RetriesExhausted("gone"))).counts
    assert (found[Count.REFUSED], found[Count.FAILED]) == (1, 2)


def test_a_cancelled_job_has_no_generation_time() -> None:
    found = tally(a_job(CASE), cancel(a_job(CASE), now=NOW + 5))
    assert (found.counts, found.generation) == ({Count.ENDED_CANCELLED: 1}, None)


def test_a_run_that_the_sweeper_schedules_counts_as_a_retry() -> None:
    job = a_job(CASE)
    swept = sweep(job, [], now=NOW + 10**6, timing=TIMING, jitter=0)
    assert tally(job, swept).counts == {Count.RETRIES: 1}


def test_a_snapshots_latency_is_counted_once_and_not_at_other_changes() -> None:
    life = a_life()
    assert [tally(old, new).webhook for old, new in pairwise(life[:4])] == [20, 90, 200]
    assert tally(life[2], life[2].with_last_error("swept")).is_empty


def test_a_change_is_counted_once_however_often_it_is_seen() -> None:
    counters = MemoryCounters()
    count = CountChange(counters=counters)
    life = a_life()
    first = [count(old, new, at=NOW) for old, new in zip([None, *life], life, strict=False)]
    assert not all(found.is_empty for found in first)
    assert all(count(old, new, at=NOW) == Tally() for old, new in zip([None, *life], life, strict=False))


def test_a_job_is_stuck_after_generating_for_ten_minutes_without_an_owner() -> None:
    jobs = MemoryJobs()
    for number, armed in enumerate((NOW - 600_001, NOW - 599_999)):
        job = replace(
            a_job(a_case(1, 0, case_id=f"c-{number}")),
            status=Status.GENERATING,
            scheduled_at=armed,
            due_at=NOW,
        )
        jobs.jobs[job.case_id] = job
    totals, stuck = ReadMetrics(counters=MemoryCounters(), jobs=jobs, clock=ManualClock(NOW))(Window.DAY)
    assert (totals, stuck) == (Totals(), 1)


def test_rates_are_shares_of_the_finished_shots_and_unknown_without_any() -> None:
    totals = Totals(counts=Counter({Count.COMPLETED: 6, Count.FAILED: 3, Count.REFUSED: 1}))
    assert (totals.success_rate, totals.failure_rate) == (0.6, 0.3)
    assert (Totals().success_rate, Totals().failure_rate, Totals().generation_percentile(0.5)) == (None,) * 3


@given(st.lists(st.floats(min_value=1, max_value=5e8), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_within_a_bucket_of_the_truth(durations: list[float], share: float) -> None:
    found = metrics.percentile(Counter(map(metrics.bucket, durations)), share)
    ordered = sorted(durations)
    truth = ordered[min(len(ordered) - 1, max(0, -(-int(share * 100) * len(ordered) // 100) - 1))]
    assert found is not None
    assert metrics.bucket(found) == metrics.bucket(truth)


@pytest.mark.parametrize(
    ("window", "count", "step"), [("1h", 13, STEP), ("24h", 25, HOUR), ("7d", 169, HOUR)]
)
def test_a_window_has_whole_steps_up_to_now(window: str, count: int, step: int) -> None:
    buckets = Window(window).steps(NOW)
    assert len(buckets) == count
    assert buckets[-1] <= NOW < buckets[-1] + step
