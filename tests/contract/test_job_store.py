"""The promises of JobStore, kept by the fake and by DynamoDB."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.domain.case import Case, Shot, ShotKind
from darkroom.domain.errors import CaseTooLarge, Contention, JobNotFound
from darkroom.domain.history import Action, HistoryEntry
from darkroom.domain.job import Failure, Job, Status, end
from darkroom.domain.run import EventKind, RunEvent, RunLog
from darkroom.domain.shot_errors import RetriesExhausted
from darkroom.ports import JobStore
from moto import mock_aws

from testing.builders import NOW, TIMING, a_case, a_job, keys_of
from testing.fakes.jobs import MemoryJobs
from testing.tables import TABLE, create_table


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[JobStore]:
    if request.param == "fake":
        yield MemoryJobs()
        return
    with mock_aws():
        create_table(clients.dynamodb())
        yield DynamoDBJobs(clients.dynamodb(), TABLE)


def a_full_job() -> Job:
    """Return a job of which every field differs from its default."""
    return replace(
        a_job(),
        status=Status.GENERATING,
        run=3,
        hop=2,
        claim="claim-1",
        lease_until=NOW + 9,
        settled_at_claim=1,
        lost_runs=1,
        revision=4,
        revision_until=NOW + 7,
        caller_retries=6,
        guest_retries=2,
        wasted_at_retry=8,
        sequence=5,
        started_at=NOW + 1,
        completed_at=NOW + 2,
        price_micro_usd=33_600,
        images={**keys_of(a_case(), "evidence-1"), "location-1": "cases/somewhere/else.jpg"},
        failures={"evidence-2": Failure(code="refused", message="no — «x»", retryable=False)},
        retry_count=2,
        last_error="lost",
        cost_micro_usd=33_600,
        wasted_micro_usd=1,
        history=(HistoryEntry(at=NOW, action=Action.SUBMITTED, run=1, by="game"),),
        history_omitted=3,
    )


def test_a_stored_job_is_read_back_whole(store: JobStore) -> None:
    job = a_full_job()
    assert store.create(job, a_case())
    assert store.get("case-1") == job
    assert store.get_case(job) == a_case()


def test_numbers_are_read_back_as_int(store: JobStore) -> None:
    store.create(a_full_job(), a_case())
    assert "Decimal" not in repr(store.get("case-1"))


def test_descriptions_survive_whatever_they_hold(store: JobStore) -> None:
    shot = Shot(id="e", kind=ShotKind.EVIDENCE, name='"\\\x1f', description="\u202e\U0001f600\n" * 600)
    case = Case(case_id="case-1", shots=(shot,))
    store.create(a_job(case), case)
    assert store.get_case(a_job(case)) == case


def test_the_largest_case_fits(store: JobStore) -> None:
    shots = tuple(
        Shot(
            id=f"{i:064}",
            kind=ShotKind.EVIDENCE,
            name="n" * 200,
            description="d" * 2000,
        )
        for i in range(100)
    )
    case = Case(case_id="c" * 64, shots=shots)
    job = a_job(case, job_id="j" * 32)
    key = "k" * 220
    assert store.create(replace(job, images={s.id: key for s in shots}), case)
    assert store.get_case(job) == case


def a_heavy_case(letter: str, letters: int, shots: int = 100) -> Case:
    """Return a case with descriptions that have more bytes than letters."""
    return Case(
        case_id="case-1",
        shots=tuple(
            Shot(id=f"e-{n}", kind=ShotKind.EVIDENCE, name=letter, description=letter * letters)
            for n in range(shots)
        ),
    )


@pytest.mark.parametrize(("letter", "letters"), [("\u9375", 1_320), ("\U0001f5dd", 990), ("e", 3_970)])
def test_a_case_is_stored_up_to_what_the_table_holds_counted_in_bytes(
    store: JobStore, letter: str, letters: int
) -> None:
    fits, large = a_heavy_case(letter, letters), a_heavy_case(letter, letters * 102 // 100)
    assert store.create(a_job(fits), fits)
    assert store.get_case(a_job(fits)) == fits
    revised = replace(a_job(fits).with_last_error("retry"), revision=1)
    store.check_size(revised, fits)
    with pytest.raises(CaseTooLarge):
        store.check_size(revised, large)
    with pytest.raises(CaseTooLarge, match="400000"):
        store.save(revised, large)
    assert store.get("case-1") == a_job(fits)
    with pytest.raises(JobNotFound):
        store.get_case(revised)


def test_a_case_too_large_for_the_table_has_no_job(store: JobStore) -> None:
    large = a_heavy_case("\u9375", 2_000)
    with pytest.raises(CaseTooLarge):
        store.create(a_job(large), large)
    with pytest.raises(JobNotFound):
        store.get("case-1")


def test_the_second_of_two_submissions_of_a_case_changes_nothing(store: JobStore) -> None:
    store.create(a_job(), a_case())
    assert not store.create(a_job(a_case(evidence=1), job_id="job-2"), a_case(evidence=1))
    assert store.get("case-1") == a_job()
    with pytest.raises(JobNotFound):
        store.get_case(a_job(job_id="job-2"))


def test_an_unknown_case_is_not_found(store: JobStore) -> None:
    with pytest.raises(JobNotFound):
        store.get("case-1")
    with pytest.raises(JobNotFound):
        store.get_case(a_job())


def test_the_next_version_replaces_the_one_before(store: JobStore) -> None:
    store.create(a_job(), a_case())
    moved = a_job().transition(Status.GENERATING, claim="claim-1", last_error="hm")
    store.save(moved)
    assert store.get("case-1") == moved
    cleared = moved.transition(Status.PENDING, claim=None, last_error=None)
    store.save(cleared)
    assert store.get("case-1") == cleared


def test_the_second_of_two_writers_loses(store: JobStore) -> None:
    store.create(a_job(), a_case())
    store.save(a_job().with_last_error("first"))
    with pytest.raises(Contention):
        store.save(a_job().with_last_error("second"))
    assert store.get("case-1").last_error == "first"


def test_a_job_that_does_not_exist_cannot_be_saved(store: JobStore) -> None:
    with pytest.raises(Contention):
        store.save(a_job().with_last_error("ghost"))
    with pytest.raises(JobNotFound):
        store.get("case-1")


def test_a_new_revision_of_the_case_is_stored_with_the_job_and_the_old_one_stays(store: JobStore) -> None:
    store.create(a_job(), a_case())
    other = a_case(evidence=2)
    revised = replace(a_job().with_last_error("retry"), revision=1)
    store.save(revised, other)
    assert (store.get("case-1"), store.get_case(revised)) == (revised, other)
    assert store.get_case(a_job()) == a_case()


def test_a_case_is_forgotten_a_day_after_the_last_job_that_is_made_from_it() -> None:
    with mock_aws():
        create_table(clients.dynamodb())
        job = replace(a_job(), deadline_at=NOW, revision_until=NOW + 5_000)
        DynamoDBJobs(clients.dynamodb(), TABLE, keep_days=10).create(job, a_case())
        key = {"pk": {"S": "case:case-1:image-request:job-1:0"}}
        item = clients.dynamodb().get_item(TableName=TABLE, Key=key)["Item"]
    assert int(item["expiresAt"]["N"]) == NOW // 1000 + 5 + 11 * 86_400


def test_a_lost_write_stores_no_case_either(store: JobStore) -> None:
    store.create(a_job(), a_case())
    store.save(a_job().with_last_error("first"))
    late = replace(a_job().with_last_error("second"), revision=1)
    with pytest.raises(Contention):
        store.save(late, a_case(evidence=2))
    assert store.get("case-1").last_error == "first"
    with pytest.raises(JobNotFound):
        store.get_case(late)


def a_log(run: int = 1, sequence: int = 2, count: int = 1) -> RunLog:
    tried = RunEvent(
        kind=EventKind.ATTEMPT,
        at=NOW,
        milliseconds=8_000,
        outcome="made",
        number=2,
        shot_id="evidence-1",
        hedge=True,
        cost_micro_usd=33_600,
    )
    sent = RunEvent(kind=EventKind.SNAPSHOT, at=NOW, milliseconds=80, outcome="delivered", number=1)
    return RunLog(
        case_id="case-1",
        job_id="job-1",
        run=run,
        sequence=sequence,
        expires_at=NOW + 9,
        events=(sent, *[tried] * count),
        omitted=4,
    )


def test_a_runs_log_is_stored_with_the_job_and_the_latest_one_stays(store: JobStore) -> None:
    store.create(a_job(), a_case())
    assert store.run_logs(a_job()) == []
    first = a_job().with_last_error("first")
    store.save(first, a_log())
    second = first.with_last_error("second")
    store.save(second, a_log(sequence=3, count=2))
    third = replace(second.with_last_error("third"), run=2)
    store.save(third, a_log(run=2))
    assert store.run_logs(third) == [a_log(sequence=3, count=2), a_log(run=2)]


def test_an_earlier_run_log_does_not_replace_a_later_one(store: JobStore) -> None:
    store.create(a_job(), a_case())
    first = a_job().with_last_error("first")
    store.save(first, a_log(sequence=5))
    with pytest.raises(Contention):
        store.save(first.with_last_error("late"), a_log(sequence=5))
    assert store.get("case-1") == first


def test_of_very_many_runs_the_latest_are_read(store: JobStore) -> None:
    job = a_job()
    store.create(job, a_case())
    for run in range(1, 31):
        job = replace(job.with_last_error("next"), run=run)
        store.save(job, a_log(run=run))
    assert [log.run for log in store.run_logs(job)] == list(range(11, 31))


def fill(store: JobStore, count: int) -> None:
    for i in range(count):
        case = a_case(evidence=1, locations=0, case_id=f"case-{i}")
        store.create(a_job(case, now=NOW + i), case)


def test_due_jobs_come_longest_overdue_first_and_at_most_the_limit(store: JobStore) -> None:
    fill(store, 30)
    last_due = NOW + 24 + TIMING.grace
    assert store.due(last_due, 100) == [f"case-{i}" for i in range(25)]
    assert store.due(last_due, 7) == [f"case-{i}" for i in range(7)]
    assert store.due(NOW, 100) == []


def test_a_job_that_has_ended_is_never_due(store: JobStore) -> None:
    store.create(a_job(), a_case())
    store.save(end(a_job(), now=NOW, error=RetriesExhausted("gone")))
    assert store.due(NOW + 10**12, 100) == []


def test_of_many_writers_at_once_exactly_one_wins(store: JobStore) -> None:
    store.create(a_job(), a_case())
    won: list[int] = []

    def write(number: int) -> None:
        try:
            store.save(a_job().with_last_error(f"writer {number}"))
        except Contention:
            return
        won.append(number)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("case-1").last_error == f"writer {won[0]}"
