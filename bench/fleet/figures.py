"""The measurements of a fleet."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from bench.fleet.deployment import World
from bench.speed.worker import START


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Seconds: median, 95th percentile, maximum."""

    p50: float
    p95: float
    most: float

    def __str__(self) -> str:
        return f"{self.p50:5.0f} {self.p95:5.0f} {self.most:5.0f}"


@dataclass(frozen=True, kw_only=True)
class FleetFigures:
    """The measurements of one row."""

    cases: int
    completed: int
    open: int
    made_per_minute: float
    """Pictures a minute, without the first and the last twentieth of them."""
    accepted: Delays
    """Delay from the arrival of a caller to the 202."""
    claimed: Delays
    """Delay from the 202 to the first claim."""
    ended: Delays
    """Delay from the creation of the job to its end."""
    jain: float
    """Jain's index of the time from arrival to end, for cases of one size and one minute: 1 is fair."""
    order: float
    """Rank correlation of arrival and end, among cases of one size: 1 is first come, first served."""


def figures(world: World) -> FleetFigures:
    """Return the measurements of a simulation."""
    jobs = [world.jobs.jobs[case_id] for case_id in world.accepted if case_id in world.jobs.jobs]
    done = [job for job in jobs if job.completed_at is not None and not job.missing]
    end = {job.case_id: ((job.completed_at or 0) - START) / 1000 for job in done}
    small = [job.case_id for job in done if len(job.shots) == min(len(j.shots) for j in done)]
    small.sort(key=lambda case_id: world.arrived[case_id])
    minutes: dict[int, list[float]] = {}
    for case_id in small:
        waited = end[case_id] - world.arrived[case_id]
        minutes.setdefault(int(world.arrived[case_id] // 60), []).append(waited)
    made = world.provider.made
    since, until = made[len(made) // 20], made[-1 - len(made) // 20]
    return FleetFigures(
        cases=len(world.arrived),
        completed=len(done),
        open=len(world.arrived) - sum(not job.is_open for job in jobs),
        made_per_minute=60 * 0.9 * len(made) / (until - since),
        accepted=_delays([at - world.arrived[case_id] for case_id, at in world.accepted.items()]),
        claimed=_delays([(j.started_at - j.created_at) / 1000 for j in jobs if j.started_at is not None]),
        ended=_delays([end[job.case_id] - (job.created_at - START) / 1000 for job in done]),
        jain=mean(_jain(waits) for waits in minutes.values()) if minutes else 0.0,
        order=_rank_correlation([end[case_id] for case_id in small]),
    )


def _delays(values: Sequence[float]) -> Delays:
    ordered = sorted(values) or [0.0]
    last = len(ordered) - 1
    return Delays(p50=ordered[last // 2], p95=ordered[round(0.95 * last)], most=ordered[-1])


def _jain(values: Sequence[float]) -> float:
    return sum(values) ** 2 / (len(values) * sum(value**2 for value in values))


def _rank_correlation(values: Sequence[float]) -> float:
    """Return Spearman's rank correlation of the values with their positions."""
    n = len(values)
    if n < 2:
        return 1.0
    ranks = {index: rank for rank, index in enumerate(sorted(range(n), key=lambda index: values[index]))}
    return 1 - 6 * sum((rank - index) ** 2 for index, rank in ranks.items()) / (n * (n * n - 1))
