"""Three hundred seeds of a world in which everything goes wrong; `make simulate` runs more."""

import pytest

from tests.simulation.run import simulate


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_no_seed_violates_an_invariant(first: int) -> None:
    outcomes = [simulate(seed) for seed in range(first, first + 50)]
    assert {o.seed: o.violation for o in outcomes if o.violation} == {}


def test_a_seed_replays_exactly() -> None:
    for seed in range(100):
        assert simulate(seed) == simulate(seed)


def test_the_worlds_have_many_faults_and_still_complete_many_jobs() -> None:
    text = "\n".join(line for seed in range(120) for line in simulate(seed).trace)
    for seen in (
        "DIES before",
        "DIES after",
        "is KILLED",
        "ended: superseded",
        "ended: cancelled",
        "ended: continued",
        "ended: expired",
        "StillStopping",
        "retry: responded",
        "jobs.save partial",
    ):
        assert seen in text, f"the simulation no longer reaches {seen!r}"


def test_at_least_half_of_the_cases_have_fourteen_shots() -> None:
    large = sum(any("location-4" in line for line in simulate(seed).trace) for seed in range(100))
    assert large >= 45
