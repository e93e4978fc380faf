"""Cases and jobs for tests, with defaults for what a test does not set."""

from darkroom.domain.case import Case, Shot, ShotKind, image_key, prompt_digest
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.job import Failure, Job, open_job
from darkroom.domain.quota import Limits
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.domain.timing import Timing
from darkroom.ports import ImageProvider
from darkroom.worker.image_model import ImageModel, Latencies

NOW = 1_800_000_000_000
TIMING = Timing()
PRICE = 33_600
SALT = "a-salt"


def a_case(evidence: int = 10, locations: int = 4, case_id: str = "case-1") -> Case:
    wanted = [(ShotKind.EVIDENCE, i) for i in range(1, evidence + 1)]
    wanted += [(ShotKind.LOCATION, i) for i in range(1, locations + 1)]
    return Case(
        case_id=case_id,
        shots=tuple(
            Shot(id=f"{k}-{i}", kind=k, name=f"{k.capitalize()} no {i}", description=f"dusty, {i} years old")
            for k, i in wanted
        ),
    )


def a_job(case: Case | None = None, job_id: str = "job-1", now: int = NOW) -> Job:
    return open_job(case or a_case(), job_id=job_id, salt=SALT, now=now, timing=TIMING)


def keys_of(case: Case, *shot_ids: str, job_id: str = "job-1", run: int = 1) -> dict[str, str]:
    """Return the keys at which a run stores the pictures of these shots."""
    digests = {s.id: prompt_digest(s.prompt, salt=SALT) for s in case.shots if s.id in shot_ids}
    return {i: image_key(case.case_id, job_id, i, digest=digest, run=run) for i, digest in digests.items()}


def a_snapshot(
    case: Case,
    kind: SnapshotKind,
    sequence: int,
    *,
    done: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
    run: int = 1,
    claim: str = "claim-1",
    job_id: str = "job-1",
    cost: int = 0,
) -> Snapshot:
    keys = keys_of(case, *done, job_id=job_id, run=run)
    kinds = {s.id: s.kind for s in case.shots}
    return Snapshot(
        case_id=case.case_id,
        job_id=job_id,
        run=run,
        claim=claim,
        sequence=sequence,
        kind=kind,
        total=len(case.shots),
        evidence_images={i: k for i, k in keys.items() if kinds[i] is ShotKind.EVIDENCE},
        location_images={i: k for i, k in keys.items() if kinds[i] is ShotKind.LOCATION},
        failures={i: Failure(code="overloaded", message="too busy", retryable=True) for i in failed},
        cost_micro_usd=cost,
        price_micro_usd=PRICE,
    )


def an_image_model(
    provider: ImageProvider, name: str = "fake/model", limits: Limits | None = None, price: int = PRICE
) -> ImageModel:
    """Return an image model whose requests are expected to take 8 s, and 20 s at the 95th percentile."""
    return ImageModel(
        name=name,
        provider=provider,
        limits=limits or Limits(),
        price_micro_usd=price,
        latencies=Latencies(policy=HedgePolicy()),
        day_until=lambda now: (now // 86_400_000 + 1) * 86_400_000,
    )
