"""Simulate how long workers run: thousands of cases on the virtual clock, of 1 to 100 pictures each."""

import statistics
from dataclasses import dataclass
from functools import cache

from darkroom.domain.case import Case, Shot, ShotKind

from bench.speed import virtual_clock
from bench.speed.scenarios import SCENARIOS
from testing.virtual_time import run

CASES = 1000
_NAME, _DESCRIPTION = 30, 140
"""Lengths of names and descriptions, as in events/case.json."""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """The running times of the workers of many cases of one size."""

    mean_s: float
    p95_s: float
    requests: float
    """Mean number of requests to the provider."""
    wasted_share: float
    """Share of the spending on pictures that went to requests without a picture."""
    typical: int
    """The seed whose worker's time is nearest to the mean."""


def a_case(shots: int, seed: int, *, longest: bool = False) -> Case:
    """Return a case with 10 pieces of evidence for 4 locations, with usual texts or the longest ones."""
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
    """Simulate 1,000 cases, or 200 large ones; the provider never fails and takes 8 s, 20 s at the p95."""
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
