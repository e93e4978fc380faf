"""The states of a job and the transitions between them."""

import itertools
from dataclasses import replace

import pytest
from darkroom.domain.job import ALLOWED, OPEN, Failure, IllegalTransition, Status, end, reschedule
from darkroom.domain.run import work_order
from darkroom.domain.shot_errors import RetriesExhausted
from darkroom.domain.timing import Timing

from testing.builders import NOW, TIMING, a_case, a_job

TERMINAL = {Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Status, Status)))
def test_only_transitions_of_the_table_are_possible(old: Status, new: Status) -> None:
    job = replace(a_job(), status=old)
    if new in ALLOWED[old]:
        assert job.transition(new).status is new
    else:
        with pytest.raises(IllegalTransition):
            job.transition(new)


def test_an_ended_job_leaves_its_state_only_by_a_retry() -> None:
    assert set(Status) - OPEN == TERMINAL
    for status in TERMINAL:
        assert ALLOWED[status] <= {Status.PENDING, status}
    assert ALLOWED[Status.COMPLETED] == {Status.COMPLETED}


def test_every_transition_makes_a_new_version() -> None:
    assert a_job().with_last_error("hm").version == 2


def test_a_new_job_is_pending_scheduled_and_due_after_the_grace() -> None:
    job = a_job()
    assert (job.status, job.run, job.version, len(job.shots)) == (Status.PENDING, 1, 1, 14)
    assert (job.scheduled_at, job.due_at) == (NOW, NOW + TIMING.grace)
    assert job.deadline_at == NOW + TIMING.deadline


def test_rescheduling_makes_a_new_run_without_a_claim() -> None:
    claimed = a_job().transition(Status.GENERATING, claim="claim-1", sequence=7, lease_until=NOW + 5)
    job = reschedule(claimed, now=NOW, due_at=NOW + 9, hop=2)
    assert (job.run, job.hop, job.scheduled_at, job.due_at) == (2, 2, NOW, NOW + 9)
    assert (job.status, job.claim, job.sequence, job.lease_until) == (Status.PENDING, None, 0, None)


@pytest.mark.parametrize(
    ("done", "status"),
    [(0, Status.FAILED), (1, Status.PARTIAL), (13, Status.PARTIAL), (14, Status.COMPLETED)],
)
def test_an_ended_job_keeps_its_pictures_and_names_what_is_missing(done: int, status: Status) -> None:
    ids = [shot.id for shot in a_job().shots]
    job = replace(a_job(), images=dict.fromkeys(ids[:done], "key"))
    ended = end(job, now=NOW + 5, error=RetriesExhausted("gone"))
    assert (ended.status, ended.completed_at, ended.due_at) == (status, NOW + 5, None)
    assert ended.images == job.images
    assert set(ended.failures) == set(ids[done:])


def test_an_end_keeps_the_reasons_of_earlier_failures() -> None:
    refused = Failure(code="refused", message="no", retryable=False)
    ended = end(replace(a_job(), failures={"evidence-1": refused}), now=NOW, error=RetriesExhausted("gone"))
    assert ended.failures["evidence-1"] == refused
    assert ended.failures["evidence-2"].code == "retries_exhausted"


def test_an_ended_job_has_no_work_order() -> None:
    ended = end(a_job(), now=NOW, error=RetriesExhausted("gone"))
    with pytest.raises(ValueError, match="ended"):
        work_order(ended, a_case(), webhook_url="http://x")


def test_a_work_order_can_be_claimed_until_the_job_is_due() -> None:
    order = work_order(a_job(), a_case(), webhook_url="http://x")
    assert order.claim_before == a_job().due_at


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"lease": 300_000}, "lease"),
        ({"grace": 59_000}, "event_age"),
        ({"deadline": 100_000}, "deadline"),
        ({"max_lost_runs": -1}, "max_lost_runs"),
        ({"heartbeat": 330_000}, "heartbeat"),
        ({"heartbeat": 0}, "heartbeat"),
        ({"sweep_interval": 90_001}, "sweep_interval"),
        ({"max_hops": 15}, "max_hops"),
        ({"max_hops": 0}, "max_hops"),
    ],
)
def test_timings_that_contradict_each_other_are_refused(changes: dict[str, int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Timing(**changes)


def test_backoff_doubles_up_to_a_quarter_of_an_hour() -> None:
    waits = [TIMING.backoff(n, 0.0) for n in range(6)]
    assert waits == [0, 90_000, 270_000, 630_000, 900_000, 900_000]


def test_jitter_takes_up_to_half_of_the_backoff_away() -> None:
    assert TIMING.backoff(4, 0.999) == pytest.approx(450_000, rel=0.01)
