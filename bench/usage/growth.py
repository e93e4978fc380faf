"""`make growth`: count the requests to AWS of cases of 1 to 100 pictures, and how large their data becomes.

The figures are counts and not times, so they are the same on every machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from darkroom.adapters.dynamodb.item_size import item_size

from bench.speed.scenarios import SCENARIOS, Scenario
from bench.usage import largest_case, million_jobs
from bench.usage.request_meter import INDEX, INVOCATIONS, LOG_BYTES, READ, REQUESTS, WRITE, Meter
from bench.usage.whole_case import metered_deployment
from bench.usage.worker_lifetimes import a_case, simulated

KB = 1024
SIZES = (1, 14, 50, 100)
FUNCTIONS = (
    "authorizer",
    "initiator",
    "worker",
    "webhook",
    "observer",
    "deliverer",
    "reader, polls",
    "reader, pictures",
)
TROUBLE = Scenario(name="trouble", faults={"429": 0.3, "503": 0.3, "hang": 0.1})
BOUNDS: Mapping[str, Mapping[int, int]] = {
    "item image-job": {14: 8},
    "snapshot": {1: 20, 14: 20, 50: 60, 100: 60},
    "response": {1: 20, 14: 20, 50: 60, 100: 60},
    "callback": {1: 20, 14: 20, 50: 60, 100: 60},
}
"""Kind → number of pictures → maximum size in KB."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The counts of one case."""

    shots: int
    meter: Meter
    ran_s: float
    """Running time of its worker in virtual seconds."""


def count(
    shots: int,
    seed: int,
    *,
    longest: bool = False,
    limited: bool = False,
    scenario: Scenario = SCENARIOS[0],
) -> Counted:
    """Count a case in a new deployment; `limited` adds a quota and budgets, which the case does not reach."""
    with metered_deployment() as metered:
        metered.scenario = scenario
        if limited:
            metered.functions.load("worker", REQUESTS_PER_MINUTE="1000", DAILY_BUDGET_USD="1000")
        limits = {"maxCostUsd": 1000.0} if limited else {}
        metered.run_case(a_case(shots, seed, longest=longest), seed, **limits)
        return Counted(shots=shots, meter=metered.meter, ran_s=metered.ran_s)


def typical(shots: int) -> Counted:
    """Count a case whose worker runs about as long as the mean of many."""
    return count(shots, simulated(shots).typical)


def other_requests(shots: int) -> list[tuple[str, Meter, int]]:
    """Count other requests for a case that has ended; return name, counts and size of each response."""
    found = []
    with metered_deployment() as metered:
        metered.run_case(a_case(shots, 0), 0)
        path = f"/api/cases/{a_case(shots, 0).case_id}/image-job"
        tag = metered.get(path, "warm").headers["etag"]
        for name, target, known, query in (
            ("a poll, changed (200)", path, "", {}),
            ("a poll, unchanged (304)", path, tag, {}),
            ("inline pictures", path, "", {"images": "inline"}),
            ("timeline", f"{path}/timeline", "", {}),
            ("image-status", path.removesuffix("job") + "status", "", {}),
        ):
            before = metered.meter.counts.copy()
            response = metered.get(target, name, known, **query)
            found.append((name, Meter(counts=metered.meter.counts - before), len(response.text.encode())))
        before = metered.meter.counts.copy()
        metered.invoke("sweeper", {})
        found.append(("a sweep, nothing due", Meter(counts=metered.meter.counts - before), 0))
    return found


def by_function(counted: Counted) -> Iterator[str]:
    """Yield the table of one case."""
    yield (
        f"{'':18} {'calls':>6} {'API':>5} | {'read':>7} {'write':>7} {'index':>6} | {'S3 put':>6}"
        f" {'invoke':>6} {'secret':>6} | {'log KB':>6}"
    )
    for name in (*FUNCTIONS, None):
        total = partial(counted.meter.total, function=name)
        yield (
            f"{name or 'all':18} {total(INVOCATIONS):6.0f} {total(REQUESTS):5.0f} | {total(READ):7.1f}"
            f" {total(WRITE):7.0f} {total(INDEX):6.0f} | {total('PutObject'):6.0f} {total('Invoke'):6.0f}"
            f" {total('GetSecretValue'):6.0f} | {total(LOG_BYTES) / KB:6.1f}"
        )


def sizes(cases: Mapping[str, Counted]) -> Iterator[str]:
    """Yield the table of the largest size of each kind in KB, by case."""
    yield f"{'KB':18}" + "".join(f"{name:>15}" for name in cases)
    kinds = sorted({kind for counted in cases.values() for kind in counted.meter.sizes})
    for kind in kinds:
        cells = (
            cell(counted.meter.largest(kind), BOUNDS.get(kind, {}).get(counted.shots), 15)
            for counted in cases.values()
        )
        yield f"{kind:18}{''.join(cells)}".rstrip()


def cell(size: int, bound: int | None, width: int = 12) -> str:
    """Return a size in KB, with an exclamation mark when it exceeds its bound."""
    return f"{size / KB:{width - 1}.1f}{'!' if bound is not None and size > bound * KB else ' '}"


def largest_sizes() -> Iterator[str]:
    """Yield the table of the largest possible sizes: all failed, or all made, after many attempts."""
    yield f"{'KB':34}" + "".join(f"{kind:>12}" for kind in ("job item", "snapshot", "response", "callback"))
    for shots in SIZES:
        for longest in (False, True):
            case = largest_case.a_long_case(shots, longest=longest)
            for failed in (False, True):
                item = item_size(largest_case.job_item(largest_case.largest_job(case, failed=failed)))
                found = {"item image-job": item, **largest_case.sizes(case, failed=failed)}
                name = f"{shots:3d} {'failed' if failed else 'made'}{', longest names' if longest else ''}"
                cells = (cell(size, BOUNDS[kind].get(shots)) for kind, size in found.items())
                yield f"{name:34}{''.join(cells)}".rstrip()


def main() -> None:
    """Print all tables."""
    cases = {str(shots): typical(shots) for shots in SIZES}
    for name, counted in cases.items():
        print(f"a case of {name}, its worker runs {counted.ran_s:.1f} s (virtual)")
        print("\n".join(by_function(counted)), end="\n\n")
    print("the case of 14 with a quota and budgets")
    print("\n".join(by_function(count(14, simulated(14).typical, limited=True))), end="\n\n")
    cases["14 in trouble"] = count(14, 0, scenario=TROUBLE)
    cases["100 in trouble"] = count(100, 0, scenario=TROUBLE)
    cases["100 longest"] = count(100, 0, longest=True)
    print("largest sizes; ! exceeds its bound")
    print("\n".join(sizes(cases)), end="\n\n")
    print("largest possible sizes; ! exceeds its bound")
    print("\n".join(largest_sizes()), end="\n\n")
    print(f"{'of a case of 14':26} {'read':>6} {'S3 get':>7} {'S3 list':>8} {'response KB':>12}")
    for name, meter, size in other_requests(14):
        print(
            f"{name:26} {meter.total(READ):6.1f} {meter.total('GetObject'):7.0f}"
            f" {meter.total('ListObjectsV2'):8.0f} {size / KB:12.1f}"
        )
    print(f"\nthe sweeper, {million_jobs.JOBS:,} open jobs in the table")
    print("\n".join(million_jobs.rows()))


if __name__ == "__main__":
    main()
