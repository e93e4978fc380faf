"""Pictures that reached storage and were never reported: a later run, or the sweeper, takes them over."""

from collections.abc import Iterable, Mapping

from darkroom.domain.case import image_run
from darkroom.domain.job import Job


def adopted(digests: Mapping[str, str], keys: Iterable[str], *, case_id: str, job_id: str) -> dict[str, str]:
    """Shot id → stored key, for each shot of `digests` (shot id → digest) that has a picture of its prompt.

    Of several the lowest run's counts, so that everybody who adopts chooses the same. A picture of
    another prompt, or of another job of the case, is none.
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


def adopt(job: Job, keys: Iterable[str]) -> dict[str, str]:
    """The images of `job` with those in storage added; what is recorded already wins."""
    found = adopted(job.digests, keys, case_id=job.case_id, job_id=job.job_id)
    return {**found, **job.images}
