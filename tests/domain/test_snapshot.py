"""The effect of a snapshot on a job."""

from dataclasses import replace

import pytest
from darkroom.domain.caller_actions import cancel
from darkroom.domain.errors import Cancelled, InvalidInput, Superseded
from darkroom.domain.job import Job, Status, end, reschedule
from darkroom.domain.shot_errors import RetriesExhausted
from darkroom.domain.snapshot import Snapshot, SnapshotKind, apply
from hypothesis import given
from hypothesis import strategies as st

from testing.builders import NOW, TIMING, a_case, a_job, a_snapshot, keys_of

CASE = a_case(evidence=3, locations=2)
IDS = tuple(shot.id for shot in CASE.shots)
CLAIM = a_snapshot(CASE, SnapshotKind.CLAIM, 1)


def applied(job: Job, *snapshots: Snapshot, now: int = NOW) -> Job:
    for snapshot in snapshots:
        job = apply(job, snapshot, now=now, timing=TIMING)
    return job


def progress(sequence: int, *done: str) -> Snapshot:
    return a_snapshot(CASE, SnapshotKind.PROGRESS, sequence, done=done)


def test_the_claim_makes_the_job_generating_and_sets_the_lease() -> None:
    job = applied(a_job(CASE), CLAIM)
    assert (job.status, job.claim, job.started_at) == (Status.GENERATING, "claim-1", NOW)
    assert job.due_at == NOW + TIMING.lease


def test_the_lease_is_never_renewed() -> None:
    job = applied(applied(a_job(CASE), CLAIM), progress(2, IDS[0]), now=NOW + 60_000)
    assert job.due_at == NOW + TIMING.lease


def test_a_second_worker_of_the_same_run_is_superseded() -> None:
    with pytest.raises(Superseded):
        applied(a_job(CASE), CLAIM, replace(CLAIM, claim="claim-2"))


def test_the_same_claim_again_changes_nothing() -> None:
    job = applied(a_job(CASE), CLAIM)
    assert applied(job, CLAIM) is job


def test_progress_before_a_claim_is_superseded() -> None:
    with pytest.raises(Superseded):
        applied(a_job(CASE), progress(2, IDS[0]))


def test_an_older_run_is_superseded() -> None:
    second = reschedule(applied(a_job(CASE), CLAIM), now=NOW, due_at=NOW, hop=0)
    with pytest.raises(Superseded):
        applied(second, progress(2, IDS[0]))


def test_another_job_of_the_case_is_superseded() -> None:
    with pytest.raises(Superseded):
        applied(a_job(CASE, job_id="job-2"), CLAIM)


def test_a_lost_snapshot_is_repaired_by_the_next() -> None:
    job = applied(a_job(CASE), CLAIM, progress(3, IDS[0], IDS[1]))
    assert set(job.images) == {IDS[0], IDS[1]}


def test_a_late_snapshot_changes_nothing() -> None:
    job = applied(a_job(CASE), CLAIM, progress(3, IDS[0], IDS[1]))
    assert applied(job, progress(2, IDS[0])) is job


@pytest.mark.parametrize(
    ("done", "status"),
    [(IDS, Status.COMPLETED), (IDS[:2], Status.PARTIAL), ((), Status.FAILED)],
)
def test_the_final_status_is_derived_from_the_pictures(done: tuple[str, ...], status: Status) -> None:
    failed = tuple(i for i in IDS if i not in done)
    last = a_snapshot(CASE, SnapshotKind.END, 2, done=done, failed=failed)
    job = applied(a_job(CASE), CLAIM, last, now=NOW + 9)
    assert (job.status, job.completed_at, job.due_at) == (status, NOW + 9, None)
    assert set(job.failures) == set(failed)


def test_a_job_that_has_ended_stays_as_it_is() -> None:
    last = a_snapshot(CASE, SnapshotKind.END, 2, done=IDS)
    job = applied(a_job(CASE), CLAIM, last)
    assert applied(job, last) is job
    with pytest.raises(Superseded):
        applied(job, a_snapshot(CASE, SnapshotKind.END, 3, failed=IDS))


def test_a_job_ended_by_the_sweeper_cannot_be_claimed() -> None:
    ended = end(a_job(CASE), now=NOW, error=RetriesExhausted("gone"))
    with pytest.raises(Superseded):
        applied(ended, CLAIM)


def test_a_picture_is_never_replaced() -> None:
    first = keys_of(CASE, IDS[0])
    job = replace(applied(a_job(CASE), CLAIM), run=2, images=first)
    other = a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=(IDS[0],), run=2)
    assert applied(job, other).images == first


def test_a_failure_does_not_hide_a_picture() -> None:
    job = applied(a_job(CASE), CLAIM, progress(2, IDS[0]))
    after = applied(job, a_snapshot(CASE, SnapshotKind.PROGRESS, 3, failed=(IDS[0],)))
    assert IDS[0] in after.images
    assert after.failures == {}


def test_cost_never_falls() -> None:
    job = replace(applied(a_job(CASE), CLAIM), cost_micro_usd=70)
    assert applied(job, progress(2, IDS[0])).cost_micro_usd == 70
    assert applied(job, a_snapshot(CASE, SnapshotKind.PROGRESS, 3, cost=90)).cost_micro_usd == 90


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(CLAIM, run=2), "run"),
        (replace(CLAIM, total=9), "totalImages"),
        (replace(CLAIM, evidence_images={"ghost": "k"}), "ghost"),
        (replace(CLAIM, evidence_images={IDS[0]: "cases/case-1/job-1/other/0-1.jpg"}), IDS[0]),
        (a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=(IDS[0],), failed=(IDS[0],)), IDS[0]),
        (a_snapshot(CASE, SnapshotKind.END, 2, done=(IDS[0],)), "kind"),
        (replace(progress(2, IDS[0]), waiting_until=NOW + 90_000), "waitingUntil"),
    ],
)
def test_a_snapshot_that_contradicts_the_job_is_refused_by_field(wrong: Snapshot, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        applied(a_job(CASE), wrong)
    assert field in {error.field for error in raised.value.errors}


def test_only_a_continuation_may_name_a_time_to_wait_until() -> None:
    away = replace(a_snapshot(CASE, SnapshotKind.CONTINUE, 2), waiting_until=NOW + 90_000)
    job = applied(a_job(CASE), CLAIM, away)
    assert (job.status, job.waiting_until, job.due_at) == (Status.PENDING, NOW + 90_000, NOW + 30_000)


@given(
    st.lists(st.tuples(st.integers(2, 12), st.sets(st.sampled_from(IDS))), max_size=12),
)
def test_any_order_of_a_runs_snapshots_loses_no_picture_that_was_applied(
    drawn: list[tuple[int, set[str]]],
) -> None:
    job = applied(a_job(CASE), CLAIM)
    for sequence, done in drawn:
        before = job
        job = applied(job, progress(sequence, *done))
        assert before.images.items() <= job.images.items()
        assert job.version == before.version + (job is not before)
        if sequence > before.sequence:
            assert set(done) <= set(job.images)


def test_a_heartbeat_without_news_changes_nothing() -> None:
    job = applied(a_job(CASE), CLAIM, progress(2, IDS[0]))
    beat = a_snapshot(CASE, SnapshotKind.HEARTBEAT, 3, done=(IDS[0],))
    assert applied(job, beat) is job


def test_a_heartbeat_brings_what_a_lost_snapshot_held() -> None:
    job = applied(a_job(CASE), CLAIM)
    assert set(applied(job, a_snapshot(CASE, SnapshotKind.HEARTBEAT, 3, done=(IDS[0],))).images) == {IDS[0]}


def a_cancelled_job(*before: Snapshot) -> Job:
    return cancel(applied(a_job(CASE), *before), now=NOW)


@pytest.mark.parametrize("kind", [k for k in SnapshotKind if k is not SnapshotKind.STOPPED])
def test_every_snapshot_of_a_cancelled_job_is_refused_as_cancelled(kind: SnapshotKind) -> None:
    with pytest.raises(Cancelled):
        applied(a_cancelled_job(CLAIM), a_snapshot(CASE, kind, 2, done=IDS))


def test_a_cancelled_job_cannot_be_claimed() -> None:
    with pytest.raises(Cancelled):
        applied(a_cancelled_job(), CLAIM)
    with pytest.raises(Cancelled):
        applied(a_cancelled_job(), a_snapshot(CASE, SnapshotKind.STOPPED, 1))


def test_the_last_snapshot_of_a_cancelled_worker_keeps_its_pictures_and_ends_its_lease() -> None:
    stopped = a_snapshot(CASE, SnapshotKind.STOPPED, 3, done=(IDS[0],), cost=33_600)
    job = applied(a_cancelled_job(CLAIM), stopped)
    assert (job.status, set(job.images), job.cost_micro_usd) == (Status.CANCELLED, {IDS[0]}, 33_600)
    assert (job.lease_until, job.due_at) == (None, None)
    assert applied(job, stopped) is job


def test_a_stranger_cannot_end_the_lease_of_a_cancelled_worker() -> None:
    with pytest.raises(Cancelled):
        applied(a_cancelled_job(CLAIM), a_snapshot(CASE, SnapshotKind.STOPPED, 3, claim="claim-2"))


def test_only_the_worker_of_a_cancelled_job_may_send_stopped() -> None:
    with pytest.raises(InvalidInput):
        applied(a_job(CASE), CLAIM, a_snapshot(CASE, SnapshotKind.STOPPED, 2))


def continuation(sequence: int, *done: str, run: int = 1) -> Snapshot:
    return a_snapshot(CASE, SnapshotKind.CONTINUE, sequence, done=done, run=run)


def test_a_continuation_schedules_the_next_run_and_is_no_lost_run() -> None:
    job = applied(a_job(CASE), CLAIM, continuation(2, IDS[0]), now=NOW + 7)
    assert (job.status, job.run, job.hop, job.lost_runs) == (Status.PENDING, 2, 1, 0)
    assert (job.claim, job.lease_until, set(job.images)) == (None, None, {IDS[0]})
    assert (job.scheduled_at, job.due_at) == (NOW + 7, NOW + 7 + TIMING.grace)


def test_progress_sent_before_a_continuation_counts_as_progress() -> None:
    job = applied(a_job(CASE), CLAIM, progress(2, IDS[0]), continuation(3, IDS[0]))
    assert job.lost_runs == 0


def test_a_continuation_that_finished_no_shot_is_a_lost_run() -> None:
    assert applied(a_job(CASE), CLAIM, continuation(2)).lost_runs == 1


def test_a_job_whose_runs_finish_no_shot_ends() -> None:
    job = a_job(CASE)
    for run in range(1, TIMING.max_lost_runs + 2):
        assert job.is_open
        job = applied(job, replace(CLAIM, run=run), continuation(2, run=run))
    assert (job.status, job.lost_runs) == (Status.FAILED, TIMING.max_lost_runs + 1)


def test_past_the_last_hop_the_sweeper_starts_the_next_chain() -> None:
    job = replace(a_job(CASE), hop=TIMING.max_hops)
    job = applied(job, CLAIM, continuation(2, IDS[0]), now=NOW + 7)
    assert (job.status, job.hop, job.due_at) == (Status.PENDING, 0, NOW + 7)


def test_a_repeated_continuation_is_superseded_by_the_run_it_scheduled() -> None:
    job = applied(a_job(CASE), CLAIM, continuation(2, IDS[0]))
    with pytest.raises(Superseded):
        applied(job, continuation(2, IDS[0]))


def test_a_failed_shot_stays_failed_in_the_next_run() -> None:
    first = a_snapshot(CASE, SnapshotKind.CONTINUE, 2, done=(IDS[0],), failed=(IDS[1],))
    job = applied(a_job(CASE), CLAIM, first, replace(CLAIM, run=2))
    assert set(job.failures) == {IDS[1]}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (SnapshotKind.CLAIM, "generating"),
        (SnapshotKind.HEARTBEAT, "generating"),
        (SnapshotKind.CONTINUE, "generating"),
        (SnapshotKind.STOPPED, "cancelled"),
        (SnapshotKind.END, "partial"),
    ],
)
def test_a_snapshot_has_the_status_that_its_worker_sees(kind: SnapshotKind, status: str) -> None:
    assert a_snapshot(CASE, kind, 2, done=(IDS[0],)).status == status


def test_the_last_error_stays_until_the_job_is_completed() -> None:
    job = replace(a_job(CASE), last_error="the worker was lost")
    job = applied(job, CLAIM, progress(2, IDS[0]))
    assert job.last_error == "the worker was lost"
    assert applied(job, a_snapshot(CASE, SnapshotKind.END, 3, done=IDS)).last_error is None
