"""A worker whose invocation failed is suspected; its run is taken over when it stays silent."""

from dataclasses import replace

import pytest
from darkroom.domain.adoption import count_ghosts
from darkroom.domain.caller_actions import cancel
from darkroom.domain.job import Job, Status
from darkroom.domain.job_history import RECOVERY, WORKER, with_history
from darkroom.domain.losses import LossReason
from darkroom.domain.recovery import FailedInvocation, awaits_look, recover, take_over
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.domain.sweeping import is_due, sweep
from darkroom.domain.timing import Timing

from testing.builders import NOW, PRICE, TIMING, a_case, a_job, a_snapshot, keys_of

CASE = a_case(evidence=2, locations=1)
SILENCE = TIMING.silence


def claimed(job: Job | None = None, *, request_id: str | None = "request-1", claim: str = "claim-1") -> Job:
    job = job or a_job(CASE)
    snapshot = replace(
        a_snapshot(CASE, SnapshotKind.CLAIM, 1, run=job.run, claim=claim), request_id=request_id
    )
    return apply(job, snapshot, now=NOW, timing=TIMING)


def record(
    run: int = 1,
    *,
    job_id: str = "job-1",
    request_id: str | None = "request-1",
    condition: str | None = "RetriesExhausted",
    reason: LossReason = LossReason.CRASH,
) -> FailedInvocation:
    return FailedInvocation(
        case_id="case-1", job_id=job_id, run=run, request_id=request_id, condition=condition, reason=reason
    )


def after(job: Job, failed: FailedInvocation | None = None, *, now: int = NOW + 8_000) -> Job:
    return recover(job, failed or record(), now=now, timing=TIMING, jitter=0.0)


def suspected(**changes: object) -> Job:
    return replace(after(claimed()), **changes)  # type: ignore[arg-type]


def heartbeat(sequence: int, *, sent_at: int | None, run: int = 1, claim: str = "claim-1"):  # type: ignore[no-untyped-def]
    return replace(a_snapshot(CASE, SnapshotKind.HEARTBEAT, sequence, run=run, claim=claim), sent_at=sent_at)


def test_the_worker_of_a_failed_invocation_is_suspected_and_due_before_its_lease_ends() -> None:
    job = suspected()
    assert job.suspicion is not None
    assert (job.status, job.run, job.claim) == (Status.GENERATING, 1, "claim-1")
    assert (job.due_at, job.next_look_at) == (NOW + 8_000 + SILENCE, NOW + 8_000 + SILENCE)
    assert awaits_look(job, NOW)


@pytest.mark.parametrize(("request_id", "recorded"), [(None, "request-1"), ("request-1", None), (None, None)])
def test_an_unknown_request_id_counts_as_equal(request_id: str | None, recorded: str | None) -> None:
    job = claimed(request_id=request_id)
    assert after(job, record(request_id=recorded)).suspicion is not None


@pytest.mark.parametrize(
    "other",
    [
        record(2),
        record(0),
        record(job_id="job-0"),
        record(request_id="request-2"),
        record(condition="EventAgeExceeded"),
        record(condition="anything new"),
    ],
)
def test_a_record_of_another_run_job_or_invocation_changes_nothing(other: FailedInvocation) -> None:
    job = claimed()
    assert after(job, other) is job


def test_records_act_on_open_jobs_only() -> None:
    cancelled = cancel(claimed(), now=NOW)
    assert after(cancelled) is cancelled
    pending = replace(a_job(CASE), deadline_at=NOW)
    assert after(pending) is pending


def test_the_second_record_does_not_prolong_the_silence() -> None:
    job = suspected()
    assert after(job, now=NOW + 20_000) is job


def test_a_suspicion_near_the_end_of_the_lease_is_due_with_it() -> None:
    job = claimed()
    assert job.lease_until is not None
    late = after(job, now=job.lease_until - 1_000)
    assert late.due_at == job.lease_until
    assert not awaits_look(late, NOW)


def test_a_snapshot_that_was_sent_after_the_suspicion_clears_it_and_is_stored() -> None:
    job = suspected()
    cleared = apply(job, heartbeat(2, sent_at=NOW + 9_000), now=NOW + 9_100, timing=TIMING)
    assert (cleared.suspicion, cleared.due_at, cleared.sequence) == (None, job.lease_until, 2)


def test_a_worker_whose_clock_is_behind_is_heard_by_its_next_heartbeat() -> None:
    suspected_at, behind = NOW + 8_000, 5_000
    job = suspected()
    for sequence, now in enumerate((suspected_at + 3_000, suspected_at + 13_000), start=2):
        job = apply(job, heartbeat(sequence, sent_at=now - behind), now=now, timing=TIMING)
    assert (job.suspicion, job.due_at) == (None, job.lease_until)


@pytest.mark.parametrize(("sequence", "sent_at"), [(2, NOW + 8_000), (2, None), (1, NOW + 9_000)])
def test_a_snapshot_from_before_or_one_that_is_repeated_clears_nothing(
    sequence: int, sent_at: int | None
) -> None:
    job = suspected()
    late = apply(job, heartbeat(sequence, sent_at=sent_at), now=NOW + 9_000, timing=TIMING)
    assert late.suspicion == job.suspicion
    assert late.due_at == job.due_at


def test_a_snapshot_that_arrives_after_the_record_of_its_sender_does_not_keep_the_job_waiting() -> None:
    job = suspected()  # the webhook was slow
    last = replace(a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=("evidence-1",)), sent_at=NOW + 7_500)
    late = apply(job, last, now=NOW + 8_500, timing=TIMING)
    assert (set(late.images), late.due_at) == ({"evidence-1"}, job.due_at)


def test_progress_from_before_the_suspicion_is_kept_and_clears_nothing() -> None:
    job = suspected()
    snapshot = a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=("evidence-1",), cost=PRICE)
    late = apply(job, replace(snapshot, sent_at=NOW + 1), now=NOW + 9_000, timing=TIMING)
    assert set(late.images) == {"evidence-1"}
    assert late.suspicion == job.suspicion


def test_a_cancellation_an_end_and_a_continuation_drop_the_suspicion() -> None:
    job = suspected()
    cancelled = cancel(job, now=NOW + 9_000)
    assert (cancelled.suspicion, cancelled.due_at) == (None, job.lease_until)
    done = tuple(shot.id for shot in CASE.shots)
    ended = apply(job, a_snapshot(CASE, SnapshotKind.END, 2, done=done), now=NOW, timing=TIMING)
    assert (ended.suspicion, ended.next_look_at) == (None, None)
    continued = apply(job, a_snapshot(CASE, SnapshotKind.CONTINUE, 2, done=done[:1]), now=NOW, timing=TIMING)
    assert continued.suspicion is None


def taken(job: Job, stored: list[str] | None = None) -> Job:
    return take_over(job, stored or [], now=job.due_at or 0, timing=TIMING)


def test_the_run_of_a_silent_worker_is_taken_over_with_its_stored_pictures() -> None:
    job = suspected(price_micro_usd=PRICE)
    keys = keys_of(CASE, "evidence-1")
    other = taken(job, list(keys.values()))
    assert (other.status, other.run, other.claim) == (Status.PENDING, 2, None)
    assert (other.lost_runs, other.retry_count, other.recoveries) == (1, 1, 1)
    assert other.images == keys
    assert other.cost_micro_usd == PRICE
    assert other.ghosts.until == job.lease_until
    assert other.last_error == "a worker was lost, another takes over"


def test_the_sweeper_takes_over_the_run_of_a_silent_worker_too() -> None:
    job = suspected()
    assert job.due_at is not None
    assert is_due(job, job.due_at)
    swept = sweep(job, [], now=job.due_at, timing=TIMING, jitter=0.0)
    assert (swept.run, swept.ghosts.until) == (2, job.lease_until)


def test_the_sweepers_takeover_begins_a_chain_whose_worker_has_time_to_claim() -> None:
    job = suspected(recoveries=TIMING.max_recoveries, hop=4)
    assert job.due_at is not None
    swept = sweep(job, [], now=job.due_at, timing=TIMING, jitter=0.0)
    assert (swept.hop, swept.recoveries, swept.due_at) == (0, 1, job.due_at + TIMING.grace)


def test_a_suspicion_never_ends_a_job() -> None:
    for job in (suspected(lost_runs=TIMING.max_lost_runs), suspected(deadline_at=NOW + 1)):
        kept = taken(job)
        assert (kept.status, kept.run, kept.due_at) == (Status.GENERATING, 1, job.lease_until)
        assert not awaits_look(kept, NOW)


def test_at_the_end_of_the_lease_such_a_job_is_ended_by_the_sweeper() -> None:
    kept = taken(suspected(lost_runs=TIMING.max_lost_runs))
    ended = sweep(kept, [], now=kept.due_at or 0, timing=TIMING, jitter=0.0)
    assert ended.status is Status.FAILED


def test_the_first_record_since_a_claim_restarts_a_run_that_nobody_claimed() -> None:
    dropped = record(condition="EventAgeExceeded")
    again = after(a_job(CASE), dropped)
    assert (again.run, again.failed_starts, again.recoveries, again.lost_runs) == (2, 1, 1, 0)
    assert again.ghosts.until is None


def test_each_further_record_only_makes_the_job_due_after_a_growing_backoff() -> None:
    job = after(a_job(CASE), record(condition="EventAgeExceeded"))
    second = after(job, record(2))
    assert (second.run, second.failed_starts, second.due_at) == (2, 2, NOW + 8_000 + TIMING.grace)
    third = after(second, record(2))
    assert third.due_at == NOW + 8_000 + 3 * TIMING.grace


def test_a_claim_forgets_the_failed_starts() -> None:
    job = after(a_job(CASE), record(condition="EventAgeExceeded"))
    assert claimed(job).failed_starts == 0


def test_records_start_five_runs_in_a_chain_and_then_the_sweeper_goes_on() -> None:
    job = suspected(recoveries=TIMING.max_recoveries)
    other = taken(job)
    assert (other.run, other.recoveries, other.hop, other.due_at) == (2, 0, 0, job.due_at)
    swept = sweep(other, [], now=other.due_at or 0, timing=TIMING, jitter=0.0)
    assert (swept.run, swept.recoveries) == (3, 0)


def test_a_job_recovers_until_the_next_claim_and_not_when_its_run_is_continued_later() -> None:
    job = suspected()
    assert job.is_recovering
    job = with_history(job, taken(job), at=NOW, by=RECOVERY)
    assert job.is_recovering
    again = claimed(job, claim="claim-2")
    assert not again.is_recovering
    snapshot = a_snapshot(CASE, SnapshotKind.CONTINUE, 2, run=2, claim="claim-2", done=("evidence-1",))
    continued = with_history(again, apply(again, snapshot, now=NOW, timing=TIMING), at=NOW, by=WORKER)
    assert (continued.recoveries, continued.is_recovering) == (1, False)


# ---- ghosts ----


def ghostly() -> tuple[Job, int]:
    """Return the job after a takeover and another claim, and the time at which the ghost is dead."""
    job = suspected(price_micro_usd=PRICE)
    assert job.lease_until is not None
    return claimed(taken(job), claim="claim-2"), job.lease_until


def test_the_job_is_looked_at_when_the_lease_of_its_ghost_ends() -> None:
    job, ghost_until = ghostly()
    job = replace(job, due_at=ghost_until + 60_000, lease_until=ghost_until + 60_000)
    assert job.next_look_at == ghost_until
    stored = [*keys_of(CASE, "evidence-1").values(), *keys_of(CASE, "evidence-2", run=2).values()]
    looked = sweep(job, stored, now=ghost_until, timing=TIMING, jitter=0.0)
    assert (looked.run, looked.claim, looked.due_at) == (2, "claim-2", job.due_at)
    assert looked.images == keys_of(CASE, "evidence-1"), "its own worker reports run 2"
    assert (looked.ghosts.until, looked.ghosts.first_run) == (None, 2)


def test_the_current_worker_does_not_hide_what_the_ghost_has_cost() -> None:
    job, ghost_until = ghostly()
    looked = count_ghosts(job, keys_of(CASE, "evidence-1").values())
    snapshot = a_snapshot(
        CASE, SnapshotKind.PROGRESS, 2, done=("evidence-2",), run=2, claim="claim-2", cost=PRICE
    )
    merged = apply(looked, snapshot, now=ghost_until, timing=TIMING)
    assert merged.cost_micro_usd == 2 * PRICE
    assert merged.wasted_micro_usd == 0


def test_a_picture_that_ghost_and_heir_both_made_is_paid_twice_and_wasted_once() -> None:
    job, ghost_until = ghostly()
    snapshot = a_snapshot(
        CASE, SnapshotKind.PROGRESS, 2, done=("evidence-1",), run=2, claim="claim-2", cost=PRICE
    )
    job = apply(job, snapshot, now=NOW, timing=TIMING)
    stored = [*keys_of(CASE, "evidence-1").values(), *keys_of(CASE, "evidence-1", run=2).values()]
    looked = sweep(job, stored, now=ghost_until, timing=TIMING, jitter=0.0)
    assert looked.images == keys_of(CASE, "evidence-1", run=2)
    assert (looked.cost_micro_usd, looked.wasted_micro_usd) == (2 * PRICE, PRICE)
    again = count_ghosts(looked, stored)
    assert again.cost_micro_usd == looked.cost_micro_usd, "nothing is counted twice"


def test_a_ghost_changes_only_the_cost_of_a_job_that_has_ended() -> None:
    job, ghost_until = ghostly()
    done = ("evidence-1", "evidence-2")
    end = a_snapshot(
        CASE, SnapshotKind.END, 2, done=done, failed=("location-1",), run=2, claim="claim-2", cost=2 * PRICE
    )
    ended = apply(job, end, now=NOW, timing=TIMING)
    assert (ended.status, ended.due_at, ended.next_look_at) == (Status.PARTIAL, None, ghost_until)
    stored = [*ended.images.values(), *keys_of(CASE, "location-1").values()]
    looked = sweep(ended, stored, now=ghost_until, timing=TIMING, jitter=0.0)
    assert (looked.status, looked.images, looked.failures) == (ended.status, ended.images, ended.failures)
    assert (looked.cost_micro_usd, looked.wasted_micro_usd) == (3 * PRICE, PRICE)
    assert looked.next_look_at is None
    assert looked.completed_at == ended.completed_at


# ---- memory ----


def lost_for_memory(job: Job, *, processing: str | None = None) -> Job:
    job = claimed(job, claim=f"claim-{job.run}", request_id=None)
    job = replace(job, processing=processing, price_micro_usd=PRICE)
    failed = record(job.run, request_id=None, reason=LossReason.MEMORY)
    return taken(after(job, failed))


def test_losses_for_memory_are_counted_and_sent_to_the_next_worker() -> None:
    job = lost_for_memory(lost_for_memory(a_job(CASE)))
    assert (job.memory_losses, job.lost_runs, job.failures) == (2, 2, {})


def test_the_third_loss_for_memory_fails_the_named_shot_alone_and_does_not_count_as_a_lost_run() -> None:
    twice = lost_for_memory(lost_for_memory(a_job(CASE)))
    job = lost_for_memory(twice, processing="evidence-2")
    assert {shot_id: failure.code for shot_id, failure in job.failures.items()} == {"evidence-2": "too_large"}
    assert (job.status, job.lost_runs, job.memory_losses) == (Status.PENDING, 2, 3)
    assert (job.cost_micro_usd, job.wasted_micro_usd) == (PRICE, PRICE)


def test_a_shot_that_has_its_picture_is_not_condemned() -> None:
    twice = lost_for_memory(lost_for_memory(a_job(CASE)))
    done = replace(twice, images=keys_of(CASE, "evidence-2"))
    assert lost_for_memory(done, processing="evidence-2").failures == {}


@pytest.mark.parametrize("reason", [LossReason.CRASH, LossReason.TIMEOUT])
def test_a_loss_for_another_reason_condemns_no_shot(reason: LossReason) -> None:
    job = replace(claimed(), memory_losses=5, processing="evidence-2")
    lost = taken(after(job, record(reason=reason)))
    assert (lost.failures, lost.memory_losses) == ({}, 5)


def test_the_silence_must_be_longer_than_two_heartbeats() -> None:
    with pytest.raises(ValueError, match="silence"):
        Timing(silence=20_000)
