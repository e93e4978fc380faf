"""The run of a worker, in virtual time."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import override

import pytest
from darkroom import cloudwatch
from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.job import Failure
from darkroom.domain.quota import Limits, QuotaState
from darkroom.domain.run import Ending, EventKind
from darkroom.domain.shot_errors import AccountUnusable, Overloaded, Refused, StorageFailed, Throttled
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.ports import RawImage, StoredQuota

from testing.builders import NOW, PRICE, a_case, keys_of
from testing.fakes.images import MemoryImages
from testing.fakes.quota import MemoryQuota
from testing.fakes.time_and_ids import ManualClock
from testing.virtual_time import run
from testing.worker import WorkerWorld, an_order, refusing

UNREACHABLE = Undeliverable("ConnectError", retryable=True)


def test_all_pictures_are_made_at_once_stored_and_reported() -> None:
    world = WorkerWorld()
    report = world.run_job(an_order())
    assert (report.ending, len(report.images)) == (Ending.ENDED, 14)
    assert world.images.stored_pictures.keys() == set(world.last.images.values())
    assert (world.last.kind, len(world.last.images), world.last.failures) == (SnapshotKind.END, 14, {})
    assert world.provider.most_in_flight == 14
    assert world.seconds < 1.5


def test_no_request_is_sent_to_the_provider_before_the_claim_is_acknowledged() -> None:
    world = WorkerWorld()
    prompts_before_claim = []

    def respond(snapshot: Snapshot) -> None:
        if snapshot.kind is SnapshotKind.CLAIM:
            prompts_before_claim.extend(world.provider.prompts)

    world.channel.respond, world.channel.seconds = respond, 3.0
    world.run_job(an_order())
    first = world.channel.sent[0]
    assert (first.kind, first.sequence, first.images) == (SnapshotKind.CLAIM, 1, {})
    assert prompts_before_claim == []
    assert len(world.provider.prompts) == 14


def test_a_claim_without_acknowledgement_is_sent_four_times_and_nothing_is_spent() -> None:
    world = WorkerWorld()
    world.channel.respond = refusing(UNREACHABLE, lambda s: True)
    report = world.run_job(an_order())
    assert (report.ending, world.provider.prompts) == (Ending.UNCLAIMED, [])
    assert len(world.channel.sent) == 4


def test_a_run_that_another_worker_has_claimed_is_left_alone() -> None:
    world = WorkerWorld()
    world.channel.respond = refusing(Superseded("no"), lambda s: True)
    report = world.run_job(an_order())
    assert (report.ending, world.provider.prompts, len(world.channel.sent)) == (Ending.SUPERSEDED, [], 1)


def test_an_event_that_waited_too_long_is_dropped_unclaimed() -> None:
    world = WorkerWorld()
    order = an_order()
    world.clock = ManualClock(order.claim_before)
    report = world.run_job(order)
    assert (report.ending, world.channel.sent, world.provider.prompts) == (Ending.EXPIRED, [], [])


def test_pictures_that_exist_are_not_made_again_but_are_reported() -> None:
    case = a_case()
    done = keys_of(case, "evidence-1", "location-2")
    world = WorkerWorld()
    world.run_job(an_order(case, done))
    assert len(world.provider.prompts) == 12
    assert done.items() <= world.last.images.items()
    assert len(world.last.images) == 14


def test_a_case_is_partial_when_some_pictures_fail() -> None:
    world = WorkerWorld()
    world.provider.replies = {f"Location no {i}": [Refused("IMAGE_SAFETY")] for i in (1, 2, 3, 4)}
    report = world.run_job(an_order())
    assert (len(report.images), len(world.last.failures)) == (10, 4)
    assert world.last.status == "partial"
    assert {f.code for f in world.last.failures.values()} == {"refused"}


def test_a_case_fails_when_all_pictures_fail() -> None:
    world = WorkerWorld()
    world.provider.replies = {"": [Refused("IMAGE_SAFETY")]}
    world.run_job(an_order())
    assert (world.last.status, len(world.last.failures)) == ("failed", 14)


def test_two_pictures_that_hang_are_requested_again_and_come() -> None:
    world = WorkerWorld()
    world.provider.replies = {"Evidence no 3": [9e9, 2.0], "Location no 1": [9e9, 2.0]}
    report = world.run_job(an_order())
    assert (len(report.images), world.last.status) == (14, "completed")
    assert world.seconds < 22
    assert len(world.provider.cancelled) == 2
    assert (world.last.cost_micro_usd, world.last.wasted_micro_usd) == (16 * PRICE, 2 * PRICE)


def test_two_pictures_that_hang_for_ever_fail_at_their_deadline_and_the_others_come() -> None:
    world = WorkerWorld()
    world.provider.replies = {"Evidence no 3": [9e9], "Location no 1": [9e9]}
    report = world.run_job(an_order())
    assert (len(report.images), world.last.status) == (12, "partial")
    assert {f.code for f in world.last.failures.values()} == {"timed_out"}
    assert 60 < world.seconds <= 121
    assert world.provider.in_flight == 0


def test_strict_batches_wait_for_one_another() -> None:
    world = WorkerWorld(strict_batches=True)
    world.provider.replies = {"Evidence no 1.": [5.0], "": [1.0]}
    world.run_job(an_order())
    assert world.provider.most_in_flight == 5
    assert 7 <= world.seconds < 8


def test_without_hedging_no_second_request_is_sent() -> None:
    world = WorkerWorld(hedge_share=0)
    world.provider.replies = {"Evidence no 1.": [50.0]}
    world.run_job(an_order())
    assert len(world.provider.prompts) == 14


def test_a_case_larger_than_the_quota_makes_exactly_its_requests_and_none_too_soon() -> None:
    world = WorkerWorld(limits=Limits(per_minute=10))
    world.run_job(an_order())
    assert (len(world.provider.prompts), len(world.last.images)) == (14, 14)
    assert 60 < world.seconds < 65


def test_a_run_that_must_wait_for_the_quota_ends_and_reports_until_when() -> None:
    world = WorkerWorld(limits=Limits(per_minute=4))
    world.provider.seconds = 0.2
    report = world.run_job(an_order())
    assert (report.ending, world.last.kind) == (Ending.WAITING, SnapshotKind.CONTINUE)
    assert len(world.last.images) == 4
    assert world.last.waiting_until is not None
    assert NOW + 60_000 < world.last.waiting_until < NOW + 63_000
    assert world.seconds < 2.5, "nobody is billed for waiting"


def test_a_wait_for_the_quota_beyond_the_deadline_ends_the_shots() -> None:
    world = WorkerWorld(limits=Limits(per_day=4))
    report = world.run_job(replace(an_order(), deadline_at=NOW + 3_600_000))
    assert (report.ending, len(report.images)) == (Ending.ENDED, 4)
    assert {f.code for f in world.last.failures.values()} == {"quota_exhausted"}


def test_a_job_never_costs_more_than_its_caller_allows() -> None:
    world = WorkerWorld()
    world.provider.replies = {"Evidence no 1.": [Overloaded("busy"), 1.0]}
    case = replace(a_case(), max_cost_micro_usd=10 * PRICE)
    world.run_job(an_order(case))
    assert (len(world.last.images), world.last.cost_micro_usd) == (10, 10 * PRICE)
    assert {f.code for f in world.last.failures.values()} == {"budget_exhausted"}
    assert world.quota.budgets["job:job-1"][1] == 10 * PRICE


def test_money_reserved_by_a_lost_run_counts_as_spent() -> None:
    world = WorkerWorld()
    world.quota.budgets["job:job-1"] = (1, 8 * PRICE, NOW)
    world.run_job(an_order(replace(a_case(), max_cost_micro_usd=10 * PRICE)))
    assert len(world.provider.prompts) == 2


def test_the_report_has_the_reasons_of_failed_requests_and_counts_faults_for_operators() -> None:
    world = WorkerWorld()
    world.provider.replies = {
        "Evidence no 1.": [AccountUnusable("billing is not active")],
        "Evidence no 2.": [AccountUnusable("billing is not active")],
        "Evidence no 3.": [Overloaded("busy"), 1.0],
    }
    report = world.run_job(an_order())
    assert report.reasons == {"fake/model: billing is not active": 2, "fake/model: busy": 1}
    assert report.operator_faults == 2
    assert cloudwatch.of_run(report)[cloudwatch.Metric.PROVIDER_FAULTS] == 2


def test_a_job_whose_stored_budget_is_gone_spends_only_what_is_left_of_it() -> None:
    world = WorkerWorld()
    order = replace(an_order(replace(a_case(), max_cost_micro_usd=10 * PRICE)), spent_micro_usd=8 * PRICE)
    world.run_job(order)
    assert len(world.provider.prompts) == 2
    assert world.quota.budgets["job:job-1"][1:] == (10 * PRICE, order.deadline_at)


def test_a_budget_is_kept_until_the_deadline_even_when_nothing_is_spent() -> None:
    world = WorkerWorld()
    world.quota.budgets["job:job-1"] = (1, 10 * PRICE, NOW)
    order = an_order(replace(a_case(), max_cost_micro_usd=10 * PRICE))
    world.run_job(order)
    assert world.provider.prompts == []
    assert world.quota.budgets["job:job-1"][1:] == (10 * PRICE, order.deadline_at)


def test_all_jobs_of_a_day_together_cost_no_more_than_the_deployment_allows() -> None:
    world = WorkerWorld(daily_budget=20 * PRICE)
    world.run_job(an_order(a_case(case_id="case-1")))
    world.run_job(an_order(a_case(case_id="case-2")))
    assert len(world.images.stored_pictures) == 20
    assert len(world.last.images) == 6


def test_a_defect_in_one_shot_does_not_harm_the_others() -> None:
    async def broken() -> RawImage:
        raise ZeroDivisionError

    world = WorkerWorld()
    world.provider.replies = {"Evidence no 1.": [broken]}
    report = world.run_job(an_order())
    assert len(report.images) == 13
    assert world.last.failures["evidence-1"].code == "internal"
    assert [type(d) for d in report.defects] == [ZeroDivisionError]


def test_progress_is_reported_at_the_claim_the_first_picture_each_batch_and_the_end() -> None:
    world = WorkerWorld()
    # Batches end at 9, 18 and 27 s; the first picture comes at 3 s, a single one at 26 s.
    world.provider.replies = {
        "Evidence no 1.": [3.0],
        **{f"Evidence no {i}.": [9.0] for i in (2, 3, 4, 5)},
        **{f"Evidence no {i}.": [18.0] for i in (6, 7, 8, 9, 10)},
        "Location no 1": [26.0],
        "Location": [27.0],
    }
    world.run_job(an_order())
    sent = [(s.kind, len(s.images)) for s in world.channel.arrived if s.kind != "heartbeat"]
    assert sent == [
        ("claim", 0),
        ("progress", 1),
        ("progress", 5),
        ("progress", 10),
        ("progress", 11),
        ("end", 14),
    ]
    sequences = [s.sequence for s in world.channel.arrived]
    assert sequences == list(range(1, len(sequences) + 1))


def test_no_batch_waits_for_the_one_before() -> None:
    world = WorkerWorld(concurrency=5)
    world.provider.replies = {"Evidence no 1.": [30.0]}
    world.run_job(an_order())
    assert world.seconds < 31


def test_never_more_requests_are_in_flight_than_allowed_and_evidence_comes_first() -> None:
    world = WorkerWorld(concurrency=3)
    world.run_job(an_order())
    assert world.provider.most_in_flight == 3
    assert [p.startswith("Evidence") for p in world.provider.prompts] == [True] * 10 + [False] * 4


def test_a_slow_webhook_delays_no_picture_and_never_has_two_snapshots_at_once() -> None:
    world = WorkerWorld(concurrency=2)
    world.channel.seconds = 4.0
    world.provider.seconds = 1.0
    world.run_job(an_order())
    assert world.channel.most_in_flight == 1
    claim, work, on_its_way, final = 4.0, 7.0, 4.0, 4.0
    assert world.seconds <= claim + work + on_its_way + final
    assert world.provider.most_in_flight == 2
    assert world.images.stored_pictures.keys() == set(world.last.images.values())
    assert world.picture_times[-1] == claim + work


def test_a_dead_webhook_delays_no_picture_and_the_last_snapshot_is_sent_again_while_time_is_left() -> None:
    world = WorkerWorld(time_s=120)
    world.channel.respond = refusing(UNREACHABLE, lambda s: s.kind is not SnapshotKind.CLAIM)
    report = world.run_job(an_order())
    assert (report.ending, len(world.images.stored_pictures)) == (Ending.UNREPORTED, 14)
    assert 100 < world.seconds < 120


def test_the_last_snapshot_arrives_once_the_webhook_is_back() -> None:
    world = WorkerWorld()
    failures = [UNREACHABLE] * 9

    def respond(snapshot: Snapshot) -> None:
        if snapshot.kind is SnapshotKind.END and failures:
            raise failures.pop()

    world.channel.respond = respond
    assert world.run_job(an_order()).ending is Ending.ENDED
    assert len(world.last.images) == 14


def test_a_last_snapshot_that_the_webhook_rejects_is_not_sent_again() -> None:
    world = WorkerWorld()
    world.channel.respond = refusing(
        Undeliverable("400", retryable=False), lambda s: s.kind is SnapshotKind.END
    )
    assert world.run_job(an_order()).ending is Ending.UNREPORTED
    assert len([s for s in world.channel.sent if s.kind is SnapshotKind.END]) == 1


def test_a_superseded_run_cancels_requests_in_flight_and_stops() -> None:
    world = WorkerWorld()
    world.provider.replies = {"Evidence no 1.": [1.0], "": [50.0]}
    world.channel.respond = refusing(Superseded("no"), lambda s: s.kind is SnapshotKind.PROGRESS)
    report = world.run_job(an_order())
    assert report.ending is Ending.SUPERSEDED
    assert len(world.provider.cancelled) == 13
    assert world.seconds < 2
    assert len(world.channel.sent) == 2


def test_a_shot_that_cannot_finish_in_the_time_left_is_not_started() -> None:
    world = WorkerWorld(concurrency=5, time_s=100)
    world.provider.seconds = 20.0
    report = world.run_job(an_order())
    # 100 s less 15 s in reserve leaves starts up to 25 s: two rounds of five, all of them evidence.
    assert len(world.provider.prompts) == 10
    assert (report.ending, world.last.kind) == (Ending.CONTINUED, SnapshotKind.CONTINUE)
    assert (len(world.last.images), world.last.failures) == (10, {})
    assert world.seconds < 100


def test_the_price_is_counted_per_picture_on_top_of_what_was_spent_before() -> None:
    world = WorkerWorld()
    world.provider.replies = {"Evidence no 1.": [Overloaded("busy"), 1.0]}
    order = replace(an_order(), spent_micro_usd=100_000)
    world.run_job(order)
    assert world.last.cost_micro_usd == 100_000 + 14 * PRICE


def test_a_worker_without_news_sends_a_heartbeat_every_ten_seconds() -> None:
    world = WorkerWorld()
    world.provider.seconds = 45.0
    world.run_job(an_order())
    kinds = [s.kind for s in world.channel.arrived]
    assert kinds.count(SnapshotKind.HEARTBEAT) == 4
    assert kinds[0] is SnapshotKind.CLAIM
    assert kinds[-1] is SnapshotKind.END


def test_a_cancelled_worker_sends_no_more_requests_and_waits_for_those_in_flight() -> None:
    """The heartbeat after ten seconds is refused; a request may then take twenty seconds more."""
    world = WorkerWorld()
    world.concurrency = 3
    world.provider.replies = {"Evidence no 1.": [1.0], "Evidence no 2.": [25.0], "": [50.0]}
    world.channel.respond = refusing(Cancelled("no"), lambda s: s.kind is SnapshotKind.HEARTBEAT)
    report = world.run_job(an_order())
    assert report.ending is Ending.CANCELLED
    assert (world.last.kind, set(world.last.images)) == (SnapshotKind.STOPPED, {"evidence-1", "evidence-2"})
    assert len(world.provider.prompts) == 4
    assert (world.last.cost_micro_usd, world.last.wasted_micro_usd) == (4 * PRICE, 2 * PRICE)
    assert len(world.provider.cancelled) == 2
    assert 30 < world.seconds < 33


def test_a_cancelled_worker_that_is_waiting_between_two_attempts_stops_at_once() -> None:
    world = WorkerWorld()
    world.provider.replies = {"": [Overloaded("busy", retry_after=45.0)]}
    world.channel.respond = refusing(Cancelled("no"), lambda s: s.kind is SnapshotKind.HEARTBEAT)
    report = world.run_job(an_order())
    assert (report.ending, world.last.kind) == (Ending.CANCELLED, SnapshotKind.STOPPED)
    assert world.seconds < 12


def test_a_worker_whose_job_is_cancelled_at_the_claim_spends_nothing_and_reports_that_it_stopped() -> None:
    world = WorkerWorld()
    world.channel.respond = refusing(Cancelled("no"), lambda s: s.kind is SnapshotKind.CLAIM)
    report = world.run_job(an_order())
    assert (report.ending, world.provider.prompts) == (Ending.CANCELLED, [])
    assert world.last.kind is SnapshotKind.STOPPED


def test_a_worker_whose_job_is_cancelled_at_the_end_reports_that_it_stopped() -> None:
    world = WorkerWorld()
    world.channel.respond = refusing(Cancelled("no"), lambda s: s.kind is SnapshotKind.END)
    assert world.run_job(an_order()).ending is Ending.CANCELLED
    assert (world.last.kind, len(world.last.images)) == (SnapshotKind.STOPPED, 14)


def test_a_later_run_adopts_pictures_that_an_earlier_run_stored() -> None:
    case = a_case()
    world = WorkerWorld()
    stored = keys_of(case, "evidence-1", "evidence-2", run=2) | keys_of(case, "evidence-1", run=1)
    world.images.stored_pictures = dict.fromkeys(stored.values(), b"jpeg")
    world.images.stored_pictures[keys_of(case, "evidence-1", run=2)["evidence-1"]] = b"jpeg"
    world.run_job(replace(an_order(case), run=3))
    assert len(world.provider.prompts) == 12
    assert world.last.images["evidence-1"] == keys_of(case, "evidence-1", run=1)["evidence-1"]
    assert world.last.images["evidence-2"] == keys_of(case, "evidence-2", run=2)["evidence-2"]
    assert world.last.cost_micro_usd == 14 * PRICE  # no snapshot has counted what the two have cost


def test_a_picture_of_an_older_description_is_made_again() -> None:
    case = a_case()
    world = WorkerWorld()
    old = keys_of(case, "evidence-1")
    world.images.stored_pictures = dict.fromkeys(old.values(), b"jpeg")
    shots = tuple(replace(s, description="new") for s in case.shots)
    world.run_job(replace(an_order(replace(case, shots=shots)), run=2))
    assert len(world.provider.prompts) == 14


def test_a_shot_that_failed_in_an_earlier_run_is_not_requested_again() -> None:
    failed = {"evidence-1": Failure(code="refused", message="no", retryable=False)}
    world = WorkerWorld()
    world.run_job(replace(an_order(), run=2, failed=failed))
    assert len(world.provider.prompts) == 13
    assert world.last.failures == failed


def test_a_run_that_cannot_list_stored_pictures_spends_nothing() -> None:
    world = WorkerWorld()
    world.images.error = StorageFailed("no")
    report = world.run_job(replace(an_order(), run=2))
    assert (report.ending, world.provider.prompts) == (Ending.UNREPORTED, [])


def test_a_run_reports_its_throttles_and_how_long_batches_and_requests_took() -> None:
    world = WorkerWorld(concurrency=2)
    world.provider.replies = {"Evidence no 1.": [Throttled("429", retry_after=2.0), 1.0]}
    world.provider.seconds = 3.0
    report = world.run_job(an_order(a_case(4, 0)))
    batches = [event for event in world.last.events if event.kind is EventKind.BATCH]
    assert report.throttles == 1
    assert [5_000 < batch.milliseconds < 20_000 for batch in batches] == [True]
    attempts = [event.milliseconds for event in world.last.events if event.kind is EventKind.ATTEMPT]
    assert max(attempts) < 4_000


def test_a_worker_learns_how_long_requests_take_whenever_they_start() -> None:
    world = WorkerWorld(concurrency=2)
    world.provider.seconds = 3.0

    async def learned() -> list[float]:
        worker = world._worker()
        await worker(an_order(a_case(6, 0)), lambda: 300.0)
        return list(worker.image_models[0].latencies.seen)

    assert run(learned()) == [3.0] * 6


class SlowImages(MemoryImages):
    """A store that lists its pictures slowly."""

    @override
    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        await asyncio.sleep(25)
        return await super().stored(case_id, job_id)


class SlowQuota(MemoryQuota):
    """A store of quotas that is slow once the pictures are made, when money is given back."""

    @override
    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        await asyncio.sleep(25)
        await super().save(stored, state)


def test_the_worker_is_never_silent_while_it_looks_for_pictures() -> None:
    world = WorkerWorld(images=SlowImages())
    world.run_job(replace(an_order(), run=2))
    kinds = [snapshot.kind for snapshot in world.channel.arrived]
    assert kinds[:3] == [SnapshotKind.CLAIM, SnapshotKind.HEARTBEAT, SnapshotKind.HEARTBEAT]


def test_the_worker_is_never_silent_while_it_gives_money_back() -> None:
    world = WorkerWorld(quota=SlowQuota(), daily_budget=20 * PRICE)
    world.provider.replies = {"": [Overloaded("503"), 0.1]}
    world.run_job(an_order(a_case(evidence=1, locations=0)))
    kinds = [snapshot.kind for snapshot in world.channel.arrived]
    assert kinds[-3:] == [SnapshotKind.HEARTBEAT, SnapshotKind.HEARTBEAT, SnapshotKind.END]


def test_a_worker_without_memory_ends_at_once_and_fails_no_shot() -> None:
    world = WorkerWorld()

    async def out_of_memory() -> RawImage:
        await asyncio.sleep(2)
        raise MemoryError

    world.provider.replies = {"Evidence no 3": [out_of_memory]}
    with pytest.raises(MemoryError):
        world.run_job(an_order())
    assert world.last.failures == {}
    assert SnapshotKind.END not in {snapshot.kind for snapshot in world.channel.arrived}


def test_only_the_claim_names_the_invocation() -> None:
    world = WorkerWorld(request_id="request-1")
    world.run_job(an_order())
    ids = [snapshot.request_id for snapshot in world.channel.arrived]
    assert ids[0] == "request-1"
    assert set(ids[1:]) == {None}


def test_a_run_after_two_losses_for_memory_names_each_shot_before_it_is_processed() -> None:
    world = WorkerWorld()
    report = world.run_job(replace(an_order(), memory_losses=2))
    named = [snapshot.processing for snapshot in world.channel.arrived if snapshot.processing]
    assert (report.ending, len(report.images)) == (Ending.ENDED, 14)
    assert sorted(set(named)) == sorted(report.images)
    assert world.channel.most_in_flight == 1
    assert world.last.processing is None
