"""Bounds on the requests and the cost of a case of 14 pictures, and on the cost of a sweep."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.domain.errors import Contention

from bench.usage import bill, cost, growth, million_jobs, price_list
from bench.usage.growth import BOUNDS, Counted
from bench.usage.request_meter import ENTRIES, INDEX, INVOCATIONS, READ, REQUESTS, WRITE, Meter
from testing.builders import a_case, a_job
from testing.functions import deployment

PAGE = cost.FILE.read_text()

# Function → invocations, requests to the API, read units, write units with those of the index, requests
# to AWS. `make growth` prints them: raise one only with a reason.
AT_MOST = {
    "authorizer": (1, 0, 0, 0, 1),
    "initiator": (1, 1, 1, 12, 5),
    "worker": (1, 0, 3, 0, 19),
    "webhook": (9, 9, 9, 85, 19),
    "observer": (10, 0, 0, 96, 29),
    "deliverer": (9, 0, 18, 81, 37),
    "reader, polls": (11, 11, 11, 0, 12),
    "reader, pictures": (15, 15, 15, 0, 15),
}
OPERATIONS = (
    "GetItem",
    "PutItem",
    "UpdateItem",
    "TransactWriteItems",
    "TransactGetItems",
    "BatchGetItem",
    "Query",
    "PutObject",
    "GetObject",
    "ListObjectsV2",
    "Invoke",
    "GetSecretValue",
)


@pytest.fixture(scope="module")
def counted() -> Counted:
    """Return the counts of the case in docs/measurements/cost.md."""
    found = re.search(r"A case of 14 pictures \(seed (\d+)\)", PAGE)
    assert found
    return growth.count(14, int(found[1]))


def test_a_case_sends_no_more_requests_to_aws_than_recorded(counted: Counted) -> None:
    meter = counted.meter
    assert {function for function, _ in meter.counts} == {*AT_MOST, "client"}
    seen = {
        function: tuple(
            meter.total(*whats, function=function)
            for whats in ((INVOCATIONS,), (REQUESTS,), (READ,), (WRITE, INDEX), OPERATIONS)
        )
        for function in AT_MOST
    }
    grown = {
        function: figures
        for function, figures in seen.items()
        if any(now > before for now, before in zip(figures, AT_MOST[function], strict=True))
    }
    assert grown == {}


def test_what_a_case_sends_and_stores_is_bounded(counted: Counted) -> None:
    largest = {kind: counted.meter.largest(kind) for kind in BOUNDS}
    assert all(largest.values()), "a kind that is never seen is not bounded"
    assert {kind: size for kind, size in largest.items() if size > BOUNDS[kind][14] * 1024} == {}


def test_the_aws_part_of_a_case_costs_half_a_cent_at_most(counted: Counted) -> None:
    assert 0 < sum(bill.of_case(counted).values()) <= cost.LIMIT_USD
    assert sum(bill.of_case(counted, longer=4).values()) <= cost.LIMIT_USD


def test_the_cost_page_has_the_current_counts(counted: Counted) -> None:
    assert "\n".join(cost.by_service(counted)) in PAGE, "run `make cost`"
    assert "\n".join(cost.list_of_prices()) in PAGE, "run `make cost`"
    assert f"as found on {price_list.AS_OF}" in " ".join(PAGE.split())


@pytest.mark.parametrize("jobs", [1_000, 20_000])
def test_a_sweep_costs_the_same_for_a_large_table_as_for_a_small_one(jobs: int) -> None:
    idle = million_jobs.sweeps(0, jobs)
    assert [(m.total("Query"), m.total(ENTRIES), m.total(READ)) for m in idle] == [(12, 0, 6)]
    busy, *_ = million_jobs.sweeps(10, jobs)
    assert (busy.total("Query"), busy.total(ENTRIES), busy.total(READ)) == (12, 10, 26)
    assert (busy.total("PutItem"), busy.total("ListObjectsV2"), busy.total("Invoke")) == (10, 10, 10)


@contextmanager
def metered() -> Iterator[Meter]:
    meter = Meter()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        stack.enter_context(deployment(patch.setenv))
        stack.enter_context(meter.listening())
        yield meter


def test_a_refused_conditional_write_is_counted_and_requests_of_no_function_are_not() -> None:
    jobs, job = DynamoDBJobs(clients.dynamodb(), "jobs"), a_job()
    with metered() as meter:
        jobs.create(replace(job, job_id="uncounted", case_id="other"), a_case(case_id="other"))
        assert meter.counts == {}
        with meter.calling("initiator"):
            jobs.create(job, a_case())
        with meter.calling("webhook"), pytest.raises(Contention):
            jobs.save(replace(job, version=9))
    assert meter.total("refused writes", function="webhook") == 1
    assert meter.total(WRITE, function="webhook") == 2
    assert meter.total(INDEX, function="webhook") == 0
    assert meter.total(INDEX, function="initiator") == 1
    assert len(meter.changes) == 1
