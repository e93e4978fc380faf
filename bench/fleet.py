"""Many cases at once on the virtual clock: throughput against the quota, delay, fairness, what breaks first."""

import argparse
import time
from dataclasses import replace

from bench.fleet_callers import simulate
from bench.fleet_figures import figures
from bench.fleet_outside import Fleet
from bench.fleet_world import World

QUOTAS = [
    (10, 0.5, 20.0),
    (60, 2.0, 10.0),
    (60, 8.0, 10.0),
    (600, 40.0, 5.0),
    (600, 120.0, 5.0),
    (2_000, 140.0, 5.0),
    (2_000, 400.0, 4.0),
    (10_000, 700.0, 3.0),
    (10_000, 2_000.0, 3.0),
]


def row(name: str, fleet: Fleet) -> str:
    """Simulate and describe."""
    began = time.monotonic()
    world = simulate(fleet)
    seen = figures(world)
    quota = fleet.quota or 0
    share = f"{seen.made_per_minute / quota:5.0%}" if quota else "    -"
    return (
        f"{name:24} {seen.cases:6} {seen.completed:6} {seen.open:5} | {seen.made_per_minute:6.0f} {share} | "
        f"{seen.accepted} | {seen.claimed} | {seen.ended} | {seen.jain:4.2f} {seen.order:5.2f} | "
        f"{_requests(world)} | {_quota(world)} | {_hot(world)} | {_sweeps(world)} | {_lambda(world)} | "
        f"{time.monotonic() - began:5.1f}"
    )


def _requests(world: World) -> str:
    pictures = len(world.provider.made)
    return f"{world.provider.requests / max(1, pictures):4.2f} {world.provider.throttled:5}"


def _quota(world: World) -> str:
    quota = world.quota
    return f"{quota.saves / max(1, quota.saves - quota.conflicts):5.2f} {quota.biggest:5}"


def _hot(world: World) -> str:
    hottest = [world.keys.hottest(prefix) for prefix in ("quota:", "due:", "counts:")]
    return " ".join(f"{units:5}" for units in hottest) + f" {world.keys.throttled:5} {world.lag:5.0f}"


def _sweeps(world: World) -> str:
    most = max((due for _, due, _, _ in world.swept), default=0)
    longest = max((took for _, _, _, took in world.swept), default=0)
    return f"{len(world.swept):3} {most:6} {longest:5.1f}"


def _lambda(world: World) -> str:
    account = world.account
    return (
        f"{account.most['worker']:5} {account.dropped['worker']:5} {sum(world.refused.values()):6} "
        f"{dict(world.endings)} {dict(world.refused)}"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    for quota, rate, minutes in QUOTAS:
        name = f"quota {quota} rate {rate:g}"
        if arguments.only in name:
            print(row(name, Fleet(cases_per_minute=rate, minutes=minutes, quota=quota)), flush=True)
    for account in (10, 100, 1_000):
        name = f"account {account}"
        fleet = Fleet(cases_per_minute=20.0, minutes=5.0, account=account)
        if arguments.only in name:
            print(row(name, replace(fleet, seed=2)), flush=True)


if __name__ == "__main__":
    main()
