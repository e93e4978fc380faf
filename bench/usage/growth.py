"""What a case asks of AWS, and how large it becomes, for 1 to 100 pictures: `make growth`.

Counted, not timed: the same figures come out on every machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from darkroom.adapters.dynamodb.item_size import item_size

from bench.speed.scenarios import SCENARIOS, Scenario
from bench.usage import largest_case, million_jobs
from bench.usage.request_meter import INDEX, INVOCATIONS, LOG_BYTES, READ, REQUESTS, WRITE, Meter
from bench.usage.whole_case import deployed
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
    "answer": {1: 20, 14: 20, 50: 60, 100: 60},
    "callback": {1: 20, 14: 20, 50: 60, 100: 60},
}
"""Of each kind, by pictures: at most so many KB."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One case."""

    shots: int
    meter: Meter
    ran_s: float
    """Its worker, in virtual seconds."""


def count(
    shots: int,
    seed: int,
    *,
    longest: bool = False,
    limited: bool = False,
    scenario: Scenario = SCENARIOS[0],
) -> Counted:
    """A case in a fresh deployment; with a quota and budgets that it stays within if it is `limited`."""
    with deployed() as whole:
        whole.scenario = scenario
        if limited:
            whole.functions.load("worker", REQUESTS_PER_MINUTE="1000", DAILY_BUDGET_USD="1000")
        limits = {"maxCostUsd": 1000.0} if limited else {}
        whole.develop(a_case(shots, seed, longest=longest), seed, **limits)
        return Counted(shots=shots, meter=whole.meter, ran_s=whole.ran_s)


def typical(shots: int) -> Counted:
    """A case whose worker runs about as long as the mean of many."""
    return count(shots, simulated(shots).typical)


def questions(shots: int) -> list[tuple[str, Meter, int]]:
    """What else can be asked of a case that has ended: its name, what it cost, the answer's size."""
    answers = []
    with deployed() as whole:
        whole.develop(a_case(shots, 0), 0)
        path = f"/api/cases/{a_case(shots, 0).case_id}/image-job"
        tag = whole.ask(path, "warm").headers["etag"]
        for name, target, known, query in (
            ("a poll, changed (200)", path, "", {}),
            ("a poll, unchanged (304)", path, tag, {}),
            ("inline pictures", path, "", {"images": "inline"}),
            ("timeline", f"{path}/timeline", "", {}),
            ("image-status", path.removesuffix("job") + "status", "", {}),
        ):
            before = whole.meter.counts.copy()
            answer = whole.ask(target, name, known, **query)
            answers.append((name, Meter(counts=whole.meter.counts - before), len(answer.text.encode())))
        before = whole.meter.counts.copy()
        whole.invoke("sweeper", {})
        answers.append(("a sweep, nothing due", Meter(counts=whole.meter.counts - before), 0))
    return answers


def by_function(counted: Counted) -> Iterator[str]:
    """The table of one case."""
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
    """The largest of each kind in KB, by case, and whether its bound is kept."""
    yield f"{'KB':18}" + "".join(f"{name:>15}" for name in cases)
    kinds = sorted({kind for counted in cases.values() for kind in counted.meter.sizes})
    for kind in kinds:
        cells = (
            cell(counted.meter.largest(kind), BOUNDS.get(kind, {}).get(counted.shots), 15)
            for counted in cases.values()
        )
        yield f"{kind:18}{''.join(cells)}".rstrip()


def cell(size: int, bound: int | None, width: int = 12) -> str:
    """A size, with an exclamation mark when it is over its bound in KB."""
    return f"{size / KB:{width - 1}.1f}{'!' if bound is not None and size > bound * KB else ' '}"


def worst_sizes() -> Iterator[str]:
    """What a case can become at most: everything failed or everything made, after very many tries."""
    yield f"{'KB':34}" + "".join(f"{kind:>12}" for kind in ("job item", "snapshot", "answer", "callback"))
    for shots in SIZES:
        for longest in (False, True):
            case = largest_case.a_wordy_case(shots, longest=longest)
            for failed in (False, True):
                item = item_size(largest_case.job_item(largest_case.the_worst_job(case, failed=failed)))
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
    print("largest sizes; ! is over its bound")
    print("\n".join(sizes(cases)), end="\n\n")
    print("worst case of all that is bounded; ! is over its bound")
    print("\n".join(worst_sizes()), end="\n\n")
    print(f"{'of a case of 14':26} {'read':>6} {'S3 get':>7} {'S3 list':>8} {'answer KB':>10}")
    for name, meter, size in questions(14):
        print(
            f"{name:26} {meter.total(READ):6.1f} {meter.total('GetObject'):7.0f}"
            f" {meter.total('ListObjectsV2'):8.0f} {size / KB:10.1f}"
        )
    print(f"\nthe sweeper, {million_jobs.JOBS:,} open jobs in the table")
    print("\n".join(million_jobs.rows()))


if __name__ == "__main__":
    main()
