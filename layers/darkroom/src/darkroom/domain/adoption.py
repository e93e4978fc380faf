"""Adoption: take over pictures that a lost run stored and did not report.

A later run adopts after its claim; the sweeper adopts before it reschedules or ends a job.
"""

from collections.abc import Iterable, Mapping

from darkroom.domain.case import image_run
from darkroom.domain.job import Job


def stored_images(
    digests: Mapping[str, str], keys: Iterable[str], *, case_id: str, job_id: str
) -> dict[str, str]:
    """Return shot id → stored key of each shot of `digests` (shot id → digest) with a picture in `keys`.

    A picture counts only for the job and the prompt that it was made for. Of several pictures of one
    shot the lowest run's is chosen, so that everybody who adopts chooses the same.
    """
    keys = list(keys)
    found: dict[str, str] = {}
    for shot_id, digest in digests.items():
        runs = {
            run: key
            for key in keys
            if (run := image_run(key, case_id=case_id, job_id=job_id, shot_id=shot_id, digest=digest))
            is not None
        }
        if runs:
            found[shot_id] = runs[min(runs)]
    return found


def with_stored_images(job: Job, keys: Iterable[str]) -> dict[str, str]:
    """Return the images of `job` and those in storage; an image that is already recorded wins."""
    found = stored_images(job.digests, keys, case_id=job.case_id, job_id=job.job_id)
    return {**found, **job.images}
