"""Adoption: take over pictures that a lost run stored and did not report.

A later run adopts after its claim; the sweeper adopts before it reschedules or ends a job. A run that was
taken over while its worker may be alive is a ghost: its pictures are looked for once more when it is dead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from darkroom.domain.case import image_run, key_run
from darkroom.domain.job import Job


def stored_images(
    digests: Mapping[str, str], keys: Iterable[str], *, case_id: str, job_id: str, below: int | None = None
) -> dict[str, str]:
    """Return shot id → stored key of each shot of `digests` (shot id → digest) with a picture in `keys`.

    A picture counts only for the job and the prompt that it was made for, and only if its run is below
    `below`. Of several pictures of one shot the lowest run's is chosen, so that everybody who adopts
    chooses the same.
    """
    keys = list(keys)
    found: dict[str, str] = {}
    for shot_id, digest in digests.items():
        runs = {
            run: key
            for key in keys
            if (run := image_run(key, case_id=case_id, job_id=job_id, shot_id=shot_id, digest=digest))
            is not None
            and (below is None or run < below)
        }
        if runs:
            found[shot_id] = runs[min(runs)]
    return found


def adopt(job: Job, keys: Iterable[str], *, below: int | None = None) -> Job:
    """Return the job with the pictures of runs below `below` that nobody reported, still in its version.

    A picture that is already recorded stays. Each adopted one costs as much as the latest worker paid.
    """
    found = stored_images(job.digests, keys, case_id=job.case_id, job_id=job.job_id, below=below)
    images = {**found, **job.images}
    failures = {shot_id: failure for shot_id, failure in job.failures.items() if shot_id not in images}
    adopted = len(images) - len(job.images)
    return _with_found_cost(replace(job, images=images, failures=failures), adopted * job.price_micro_usd)


def count_ghosts(job: Job, keys: Iterable[str]) -> Job:
    """Return the job after its ghosts have died, still in its version.

    An open job adopts the ghosts' pictures that it lacks. All other pictures of ghosts are waste. A job
    that has ended changes in its cost only.
    """
    keys = list(keys)
    if job.is_open:
        job = adopt(job, keys, below=job.run)
    recorded = set(job.images.values())
    ghosts = range(job.ghosts.first_run, job.run)
    unused = sum(key_run(key) in ghosts and key not in recorded for key in keys)
    counted = _with_found_cost(job, unused * job.price_micro_usd, is_waste=True)
    return replace(counted, ghosts=replace(counted.ghosts, until=None, first_run=job.run))


def _with_found_cost(job: Job, micro_usd: int, *, is_waste: bool = False) -> Job:
    wasted = micro_usd if is_waste else 0
    return replace(
        job,
        cost_micro_usd=job.cost_micro_usd + micro_usd,
        wasted_micro_usd=job.wasted_micro_usd + wasted,
        ghosts=replace(
            job.ghosts,
            cost_micro_usd=job.ghosts.cost_micro_usd + micro_usd,
            wasted_micro_usd=job.ghosts.wasted_micro_usd + wasted,
        ),
    )
