"""Simulate the callers: they arrive at random, submit again when they are refused, and wait."""

import asyncio
from contextlib import suppress

from darkroom.domain.case import Case, Shot, ShotKind

from bench.fleet.deployment import World
from bench.fleet.events import observe, schedule
from bench.fleet.surroundings import Fleet
from testing.virtual_time import run

EVIDENCE_SHARE, SMALL, BIG = 10 / 14, 14, 100
CALLER_WAIT_S, CALLER_LONGEST_S = 1.0, 30.0


def simulate(fleet: Fleet) -> World:
    """Simulate a fleet until all cases have ended or its time is over; return the final state."""
    world = World(fleet)
    run(_run(world))
    return world


async def _run(world: World) -> None:
    fleet = world.fleet
    others = [asyncio.ensure_future(coroutine) for coroutine in (schedule(world), observe(world))]
    with suppress(TimeoutError):
        async with asyncio.timeout(60 * (fleet.minutes + fleet.drain)), asyncio.TaskGroup() as callers:
            while True:
                await asyncio.sleep(world.dice.expovariate(fleet.cases_per_minute / 60))
                if asyncio.get_running_loop().time() > 60 * fleet.minutes:
                    break
                callers.create_task(_caller(world, _case(world)))
            await _all_ended(world)
    for other in (*others, *world.account.tasks):
        other.cancel()
    await asyncio.gather(*others, *world.account.tasks, return_exceptions=True)


async def _all_ended(world: World) -> None:
    while len(world.jobs.jobs) < len(world.arrived) or any(j.is_open for j in world.jobs.jobs.values()):
        await asyncio.sleep(1)
        if defects := world.defects:
            raise defects[0]


async def _caller(world: World, case: Case) -> None:
    world.arrived[case.case_id] = asyncio.get_running_loop().time()
    wait = CALLER_WAIT_S
    while not await world.submit(case):
        await asyncio.sleep(wait * world.dice.uniform(0.5, 1.5))
        wait = min(2 * wait, CALLER_LONGEST_S)
    world.accepted[case.case_id] = asyncio.get_running_loop().time()


def _case(world: World) -> Case:
    number = len(world.arrived)
    shots = BIG if world.dice.random() < world.fleet.big_share else SMALL
    evidence = round(shots * EVIDENCE_SHARE)
    kinds = [ShotKind.EVIDENCE] * evidence + [ShotKind.LOCATION] * (shots - evidence)
    return Case(
        case_id=f"case-{number}",
        shots=tuple(
            Shot(id=f"{kind}-{n}", kind=kind, name=f"{kind} {n}", description="old and dusty")
            for n, kind in enumerate(kinds)
        ),
    )
