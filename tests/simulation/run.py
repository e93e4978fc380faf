"""Simulate many seeds: `make simulate SEEDS=2000`. Show the trace of one: `make simulate SEED=7`."""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, replace

from darkroom.domain.case import Case

from testing.builders import PRICE, a_case
from testing.virtual_time import run
from tests.simulation.invariants import Violation, check, check_end
from tests.simulation.world import World

SWEEPS_AFTER_FAULTS = 45
"""Minutes of the longest backoff, a lease and a run, and as much again for the retry."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one seed."""

    seed: int
    trace: tuple[str, ...]
    violation: str | None
    requests: int
    calls: int
    workers: int
    status: str


def simulate(seed: int) -> Outcome:
    """Return the outcome of one seed."""
    world = World(seed)
    violation = None
    try:
        run(_live(world))
    except Violation as found:
        violation = str(found)
    except BaseExceptionGroup as group:
        violation = "; ".join(map(str, group.exceptions))
    job = world.jobs.jobs.get(world.case_id)
    return Outcome(
        seed=seed,
        trace=tuple(world.trace),
        violation=violation,
        requests=world.requests,
        calls=world.calls,
        workers=len(world.processes),
        status=job.status.value if job else "none",
    )


async def _live(world: World) -> None:
    dice = world.dice
    case = a_case() if dice.random() < 0.55 else a_case(dice.randint(0, 4), dice.randint(1, 3))
    if dice.random() < 0.2:
        case = replace(case, max_cost_micro_usd=dice.randint(1, 2 * len(case.shots)) * PRICE)
    world.refused = {s.id for s in case.shots if dice.random() < 0.04}
    if dice.random() < 0.1:
        world.huge = {dice.choice(case.shots).id}
    while not world.submit(case) and not _is_replaced(world, case):
        await asyncio.sleep(1)  # a caller without a response sends it again
    check(world.case_id in world.jobs.jobs, "an acknowledged job does not exist")
    faulty_minutes = dice.randint(1, 25)
    whims = dice.random() < 0.5
    for _ in range(faulty_minutes):
        await _a_minute(world, whims=whims)
    world.faulty = False
    world.note("faults stop")
    await _until_ended(world)
    if world.jobs.jobs[world.case_id].missing:
        await _retry(world)
    await _until_ended(world)
    while world.tasks:
        await asyncio.sleep(1)
    await _until_nobody_looks(world)
    _check_violations(world)
    refused = frozenset(world.refused | world.huge)
    check_end(world.jobs.jobs[world.case_id], world.images.stored_pictures, refused)


def _is_replaced(world: World, case: Case) -> bool:
    """Return True if the job was replaced before its caller got a response: no submission succeeds then."""
    job = world.jobs.jobs.get(world.case_id)
    return job is not None and job.request_digest != case.digest


async def _a_minute(world: World, *, whims: bool) -> None:
    await asyncio.sleep(60 * world.dice.uniform(0.9, 1.1))
    if whims and world.dice.random() < 0.3:
        await asyncio.sleep(world.dice.uniform(0, 20))
        world.user()
    if not world.chance(0.1):
        world.sweep()
    if world.chance(0.2):
        world.sweep()
    _check_violations(world)


async def _until_ended(world: World) -> None:
    for _ in range(SWEEPS_AFTER_FAULTS):
        if not world.jobs.jobs[world.case_id].is_open:
            return
        await _a_minute(world, whims=False)
    job = world.jobs.jobs[world.case_id]
    check(not job.is_open, f"still {job.status} {SWEEPS_AFTER_FAULTS} sweeps after the faults stopped")


async def _until_nobody_looks(world: World) -> None:
    for _ in range(10):
        if world.jobs.jobs[world.case_id].next_look_at is None:
            return
        await _a_minute(world, whims=False)
    check(False, "the ghosts of a job that has ended were not laid")


async def _retry(world: World) -> None:
    """Retry as the caller, as soon as a cancelled worker has stopped or must be dead."""
    for _ in range(10):
        job = world.jobs.jobs[world.case_id]
        if not job.missing or world.retry({}):
            return
        await asyncio.sleep(60)
    check(False, "a job that has ended could not be retried within ten minutes")


def _check_violations(world: World) -> None:
    if world.violations:
        raise BaseExceptionGroup("in a worker", world.violations)


def main() -> int:
    """Simulate the seeds; return exit code 1 when one violated an invariant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        outcome = simulate(arguments.seed)
        print(*outcome.trace, sep="\n")
        print(f"seed {outcome.seed}: {outcome.violation or 'no violation'}, {outcome.status}")
        return 1 if outcome.violation else 0
    started = time.monotonic()
    totals = {"requests": 0, "calls": 0, "workers": 0}
    violations = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        outcome = simulate(seed)
        for name in totals:
            totals[name] += getattr(outcome, name)
        if outcome.violation:
            violations += 1
            print(f"seed {seed}: {outcome.violation} (make simulate SEED={seed} prints its trace)")
    print(f"{totals['workers']} workers, {totals['calls']} port calls, {totals['requests']} requests", end="")
    print(f" in {time.monotonic() - started:.1f} s")
    print(f"simulate: {arguments.seeds} seeds, {violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
