"""`make fleet`: simulate many callers and workers on a virtual clock: throughput, delay, fairness, limits."""

import argparse
import time
from dataclasses import replace

from darkroom.domain.run_policy import ReportPolicy

from bench.fleet.callers import simulate
from bench.fleet.deployment import World
from bench.fleet.figures import figures
from bench.fleet.surroundings import Fleet

BASE = Fleet(cases_per_minute=20, minutes=4, drain=30)
OPEN = replace(BASE, submits_per_s=500, submits_burst=1_000, account=10_000)
"""A fleet without the gateway's throttle of submissions, to show the limits behind it."""
OLD_REPORTS = ReportPolicy(cap_s=10.0)
_2_000 = replace(OPEN, quota=10_000, cases_per_minute=2_000, minutes=1)
_8_000 = replace(OPEN, quota=10_000, cases_per_minute=8_000, minutes=0.4)
_4_000 = replace(OPEN, quota=10_000, cases_per_minute=4_000, minutes=1)

TABLES: dict[str, dict[str, Fleet]] = {
    "quota below, at and above the demand": {
        "10/min, 0.5 cases": replace(BASE, quota=10, cases_per_minute=0.5, minutes=20),
        "60/min, 2 cases": replace(BASE, quota=60, cases_per_minute=2, minutes=10),
        "60/min, 8 cases": replace(BASE, quota=60, cases_per_minute=8, minutes=10),
        "600/min, 40 cases": replace(BASE, quota=600, cases_per_minute=40),
        "600/min, 120, some of 100": replace(BASE, quota=600, cases_per_minute=120, big_share=0.02),
        "2,000/min, 140 cases": replace(BASE, quota=2_000, cases_per_minute=140),
        "2,000/min, 400 cases": replace(BASE, quota=2_000, cases_per_minute=400),
        "600/min, not configured": replace(BASE, quota=600, cases_per_minute=60, keeps_quota=False),
    },
    "thousands of cases a minute": {
        "10,000/min, gateway 10/s": replace(BASE, quota=10_000, cases_per_minute=700, minutes=2),
        "10,000/min, 2,000 cases": _2_000,
        "  200 a sweep, as before": replace(_2_000, sweep_limit=200, sweep_threads=1),
        "10,000/min, 4,000 cases": _4_000,
        "  200 a sweep, as before ": replace(_4_000, sweep_limit=200, sweep_threads=1),
        "10,000/min, 8,000 cases": _8_000,
        "10,000/min, 10,000 cases": replace(_8_000, cases_per_minute=10_000),
        "no quota, 3,000 cases": replace(OPEN, cases_per_minute=3_000, minutes=1),
        "no quota, daily budget": replace(OPEN, cases_per_minute=1_000, minutes=1, daily_budget=True),
    },
    "account's concurrency": {
        "limit 10, 20 cases": replace(BASE, account=10),
        "limit 10, 60 cases": replace(BASE, account=10, cases_per_minute=60),
        "  old report policy": replace(BASE, account=10, cases_per_minute=60, reports=OLD_REPORTS),
        "limit 100, 300 cases": replace(BASE, account=100, cases_per_minute=300, minutes=2),
        "limit 1,000, 4,000 cases": replace(OPEN, account=1_000, cases_per_minute=4_000, minutes=1),
        "  800 for workers": replace(
            OPEN, account=1_000, cases_per_minute=4_000, minutes=1, reserved={"worker": 800}
        ),
    },
}

HEADER = """\
                          |         cases          | pictures  |   submit (s)    |    claim (s)    \
|     end (s)     | fairness  | requests   | quota item         | units/s, most | obs. |   sweeps       \
| worker events   |    503 and 429
                          |    all    done    left | /min  use |  p50   p95  max |  p50   p95  max \
|  p50   p95  max | Jain order| each   429 | tries bytes units/s| due  counts   | lag  |  n   due  secs \
| most drop. uncl.| submit snapshot | CPU s"""


def row(name: str, fleet: Fleet) -> str:
    """Simulate a fleet; return its row of the table."""
    began = time.monotonic()
    world = simulate(fleet)
    found = figures(world)
    use = f"{found.made_per_minute / fleet.quota:4.0%}" if fleet.quota else "   -"
    cells = [
        f"{name:25} ",
        f" {found.cases:6} {found.completed:7} {found.open:7} ",
        f"{found.made_per_minute:6.0f} {use}",
        f"{found.accepted}",
        f"{found.claimed}",
        f"{found.ended}",
        f" {found.jain:4.2f} {found.order:4.2f} ",
        *_requests(world),
        *_lambda(world),
        f" {time.monotonic() - began:4.0f}",
    ]
    return "|".join(cells)


def _requests(world: World) -> list[str]:
    quota, keys, pictures = world.quota, world.keys, len(world.provider.made)
    attempts = quota.saves / max(1, quota.saves - quota.conflicts)
    due = [due for _, due, _, _ in world.swept]
    seconds = [took for _, _, _, took in world.swept]
    return [
        f" {world.provider.requests / max(1, pictures):4.2f} {world.provider.throttled:5} ",
        f" {attempts:5.2f} {quota.biggest:5} {keys.hottest('quota:'):6} ",
        f" {keys.hottest('due:'):5} {keys.hottest('counts:'):5}   ",
        f" {world.lag:4.0f} ",
        f" {len(world.swept):3} {max(due, default=0):5} {max(seconds, default=0):5.1f} ",
    ]


def _lambda(world: World) -> list[str]:
    account = world.account
    refused = [
        sum(count for name, count in world.refused.items() if name.startswith(route))
        for route in ("submit", "webhook")
    ]
    return [
        f" {account.most['worker']:4} {account.dropped['worker']:5} {world.endings['unclaimed']:4} ",
        f" {refused[0]:6} {refused[1]:8} ",
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only tables or rows whose name contains this text")
    parser.add_argument("--minutes", type=float, help="minutes for which callers submit")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for title, rows in TABLES.items():
        chosen = {n: fleet for n, fleet in rows.items() if arguments.only in title or arguments.only in n}
        if chosen:
            print(f"\n{title}\n{HEADER}")
        for name, fleet in chosen.items():
            minutes = arguments.minutes or fleet.minutes
            print(row(name, replace(fleet, seed=arguments.seed, minutes=minutes)), flush=True)


if __name__ == "__main__":
    main()
