"""The scenarios of the comparison: the provider's faults, its quota, the concurrency."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from darkroom.domain.case import Case, Shot, ShotKind

from local.fake_gemini import Config

MEDIAN_S, P95_S = 8.0, 20.0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One scenario, a row of the table."""

    name: str
    faults: dict[str, float] = field(default_factory=dict)
    quota_per_minute: int | None = None
    concurrency: int = 14

    def config(self, seed: int, scale: float = 1.0) -> Config:
        """Return the provider's configuration; a `scale` below 1 shortens all its times."""
        return Config(
            seed=seed,
            latency_median=MEDIAN_S * scale,
            latency_p95=P95_S * scale,
            faults=self.faults,
            quota_per_minute=self.quota_per_minute,
            minute=60 * scale,
            retry_delay=scale,
        )


SCENARIOS = (
    Scenario(name="clean"),
    Scenario(name="10 % hang", faults={"hang": 0.1}),
    Scenario(name="10 % 503", faults={"503": 0.1}),
    Scenario(name="20 % 429", faults={"429": 0.2}),
    Scenario(name="quota 10/min", quota_per_minute=10),
    Scenario(name="concurrency 5", concurrency=5),
)


def a_case(seed: int) -> Case:
    """Return a case with 10 pieces of evidence and 4 locations; its prompts depend on the seed."""
    kinds = [(ShotKind.EVIDENCE, n) for n in range(1, 11)] + [(ShotKind.LOCATION, n) for n in range(1, 5)]
    return Case(
        case_id=f"case-{seed}",
        shots=tuple(
            Shot(id=f"{kind}-{n}", kind=kind, name=f"{kind.capitalize()} {n}", description="old and dusty")
            for kind, n in kinds
        ),
    )


def first_latencies(config: Config, shots: Sequence[Shot]) -> list[float]:
    """Return the latency of the first request for each shot in seconds; the largest is a lower bound."""
    return [config.latency(dice(config, shot.prompt, 1)) for shot in shots]


def quota_floor(config: Config, shots: Sequence[Shot]) -> float:
    """Return the earliest end in seconds that the quota allows when the shots start in order."""
    per_minute = config.quota_per_minute or len(shots)
    latencies = first_latencies(config, shots)
    return max(config.minute * (i // per_minute) + latency for i, latency in enumerate(latencies))


def dice(config: Config, prompt: str, nth: int) -> random.Random:
    """Return the random numbers of the nth request for a prompt, the same as in the fake provider."""
    return random.Random(f"{config.seed}|{prompt}|{nth}")
