"""Find the picture of a signed link."""

from collections.abc import Callable
from dataclasses import dataclass

from darkroom.domain.errors import ImageNotFound, JobNotFound
from darkroom.domain.job import Job
from darkroom.ports import JobStore


@dataclass(frozen=True, kw_only=True)
class FindImage:
    """The search for a picture. It needs no token, so no response may reveal that a case exists.

    `key` returns the storage key of a shot's picture if the link's token belongs to it; else None, after
    the same work.
    """

    jobs: JobStore
    key: Callable[[Job | None, str, str], str | None]

    def __call__(self, case_id: str, shot_id: str, token: str) -> str:
        """Return the storage key of the picture; raise ImageNotFound, whatever is missing."""
        found = self.key(self._job(case_id), shot_id, token)
        if found is None:
            raise ImageNotFound
        return found

    def _job(self, case_id: str) -> Job | None:
        try:
            return self.jobs.get(case_id)
        except JobNotFound:
            return None
