"""How long workers run: thousands of cases on the virtual clock, from 1 to 100 pictures each."""

import statistics
from dataclasses import dataclass
from functools import cache

from darkroom.domain.case import Case, Shot, ShotKind

from bench.speed import virtual_clock
from bench.speed.scenarios import SCENARIOS
from testing.virtual_time import run

CASES = 1000
_NAME, _DESCRIPTION = 30, 140
"""Letters, as in events/case.json."""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """Of the workers of many cases of one size."""

    mean_s: float
    p95_s: float
    requests: float
    """To the provider, on average."""
    wasted_share: float
    """Of what is spent on pictures, the part of requests that gave none."""
    typical: int
    """The seed whose worker comes nearest to the mean in time."""


def a_case(shots: int, seed: int, *, longest: bool = False) -> Case:
    """In the proportion of 10 to 4, texts of the usual length or as long as they may be."""
    name, description = (200, 2000) if longest else (_NAME, _DESCRIPTION)
    locations = shots * 4 // 14

    def shot(kind: ShotKind, n: int) -> Shot:
        return Shot(
            id=f"{kind}-{n}",
            kind=kind,
            name=f"{kind.capitalize()} no {n} ".ljust(name, "x"),
            description=f"In case {seed} it is old and dusty ".ljust(description, "x"),
        )

    kinds = [(ShotKind.EVIDENCE, n) for n in range(1, shots - locations + 1)]
    kinds += [(ShotKind.LOCATION, n) for n in range(1, locations + 1)]
    return Case(case_id=f"the-drowned-clockmaker-{seed}", shots=tuple(shot(kind, n) for kind, n in kinds))


@cache
def simulated(shots: int) -> Lifetimes:
    """1,000 cases, or 200 large ones; the provider never fails and takes 8 s, at the 95th percentile 20 s."""
    clean, cases = SCENARIOS[0], CASES if shots <= 14 else CASES // 5
    figures = [
        run(virtual_clock.ours(clean, clean.config(seed), a_case(shots, seed))) for seed in range(cases)
    ]
    ended = [each.ended for each in figures]
    mean = statistics.mean(ended)
    return Lifetimes(
        mean_s=mean,
        p95_s=statistics.quantiles(ended, n=20)[-1],
        requests=statistics.mean(each.requests for each in figures),
        wasted_share=sum(each.wasted for each in figures) / sum(each.cost for each in figures),
        typical=min(range(cases), key=lambda seed: abs(ended[seed] - mean)),
    )
