"""`make bench`: compare the worker with the baseline, the algorithm that it replaces, for the same seeds.

A ratio is the worker's time divided by the baseline's, for the same seed. Columns show the median, except
`worst`.
"""

import argparse
import asyncio
import resource
import statistics
from collections.abc import Sequence

from darkroom.adapters import http_client

from bench.speed import virtual_clock, wall_clock
from bench.speed.figures import Figures
from bench.speed.scenarios import SCENARIOS, Scenario, a_case, first_latencies, quota_floor

SHOTS = 14
type Pair = tuple[Figures, Figures]


def row(scenario: Scenario, pairs: Sequence[Pair], scale: float) -> str:
    """Return a line of the table; `pairs` belong to the seeds 0, 1, 2, ..."""
    median = statistics.median
    ratios = [ours.ended / theirs.ended for ours, theirs in pairs]
    slowest, floor = [], []
    for seed, (ours, _) in enumerate(pairs):
        config, shots = scenario.config(seed, scale), a_case(seed).shots
        slowest.append(ours.ended / max(first_latencies(config, shots)))
        floor.append(ours.ended / quota_floor(config, shots))
    return (
        f"{scenario.name:14}"
        f" {median(ratios):6.3f} {max(ratios):6.2f} {sum(r > 0.6 for r in ratios) / len(ratios):6.1%}"
        f" | {median(slowest):6.3f} {median(floor):6.3f}"
        f" | {median(o.first / t.first for o, t in pairs):5.2f}"
        f" {median(o.mean / t.mean for o, t in pairs):5.2f}"
        f" | {sum(len(o.seen) == SHOTS for o, _ in pairs) / len(pairs):6.1%}"
        f" {sum(len(t.seen) == SHOTS for _, t in pairs) / len(pairs):6.1%}"
        f" | {median(o.requests for o, _ in pairs):4.0f} {statistics.mean(o.requests for o, _ in pairs):5.1f}"
        f" {max(o.requests for o, _ in pairs):4d}"
        f" | {median(o.throttled for o, _ in pairs):3.0f} {max(o.throttled for o, _ in pairs):3d}"
        f" | {statistics.mean(o.cost for o, _ in pairs) / 1e6:5.3f}"
        f" {statistics.mean(o.wasted for o, _ in pairs) / 1e6:5.3f}"
        f" | {median(o.cpu for o, _ in pairs):5.2f} {median(t.cpu for _, t in pairs):5.2f}"
    )


HEAD = (
    f"{'':14} {'ratio':>6} {'worst':>6} {'>0.60':>6} | {'slow.':>6} {'floor':>6} | {'first':>5} {'mean':>5}"
    f" | {'14/14':>6} {'ref.':>6} | {'requests mean max':>15} | {'429 max':>7} | {'USD':>5} {'waste':>5}"
    f" | {'CPU s':>5} {'ref.':>5}"
)


async def by_wall_clock(seeds: int) -> None:
    """Print the table of the scaled runs, and the overhead at real speed."""
    with wall_clock.fake_provider() as url:
        async with http_client.client(32) as client:
            bench = wall_clock.Bench(url, client)
            await bench.warm()
            for scenario in SCENARIOS:
                pairs = [
                    (await bench.ours(scenario, seed), await bench.baseline(scenario, seed))
                    for seed in range(seeds)
                ]
                print(row(scenario, pairs, wall_clock.SCALE), flush=True)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"peak RSS of the process that runs both algorithms: {peak:.0f} MB")
            await _overhead(wall_clock.Bench(url, client, scale=1.0))


async def _overhead(bench: wall_clock.Bench) -> None:
    """Print how much longer than its slowest picture a case takes at real speed, without hedges."""
    scenario, over = SCENARIOS[0], []
    for seed in range(3):
        ours = await bench.ours(scenario, seed, hedge_share=0)
        over.append(ours.ended - max(first_latencies(scenario.config(seed), a_case(seed).shots)))
    milliseconds = ", ".join(f"{1000 * seconds:.0f}" for seconds in over)
    print(f"overhead over the slowest picture at real speed, without the claim: {milliseconds} ms")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="cases on the virtual clock")
    parser.add_argument("--wall-seeds", type=int, default=20, help="cases on the wall clock; 0 for none")
    arguments = parser.parse_args()
    print(f"virtual clock, {arguments.seeds} cases each\n{HEAD}", flush=True)
    for scenario in SCENARIOS:
        pairs = [virtual_clock.compare(scenario, seed) for seed in range(arguments.seeds)]
        print(row(scenario, pairs, 1.0), flush=True)
    if arguments.wall_seeds:
        print(f"\nwall clock at 1/20 time, {arguments.wall_seeds} cases each\n{HEAD}", flush=True)
        asyncio.run(by_wall_clock(arguments.wall_seeds))


if __name__ == "__main__":
    main()
