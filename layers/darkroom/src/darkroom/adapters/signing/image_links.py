"""Links to a job's pictures and status document: short, stable, and signed with a secret of their own.

A link to a picture leads to the reader, which redirects to a new presigned S3 address. A presigned address in
the response itself would be 1.4 KB long and would expire with the credentials of the role that signed it.
The link to a status document is its address. Whoever has it may read the document; nobody can guess it.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

from darkroom.domain.job import Job

STATUS_PREFIX = "status/"
"""Prefix of keys that anybody may read who knows them. It is in the template."""


class ImageLinks:
    """Make and verify links. A signature covers the picture's key, so a replaced picture has another link."""

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def of(self, job: Job, *, base_url: str) -> Callable[[str], str]:
        """Return a function from the id of a shot of `job` that has a picture to its link."""
        pictures = f"{base_url}/api/cases/{job.case_id}/images"
        return lambda shot_id: f"{pictures}/{shot_id}?s={self._token(job.images[shot_id])}"

    def key(self, job: Job | None, shot_id: str, token: str) -> str | None:
        """Return the key of the picture that a link with `token` leads to; None for a wrong link."""
        key = job.images.get(shot_id, "") if job else ""
        # Compare in any case, so that the time taken does not tell whether there is a picture.
        is_ours = hmac.compare_digest(self._token(key).encode(), token.encode(errors="replace"))
        return key if key and is_ours else None

    def document_key(self, job: Job) -> str:
        """Return the key at which the status document of `job` is stored."""
        return f"{STATUS_PREFIX}{job.case_id}/{self._token(STATUS_PREFIX + job.job_id)}.json"

    def document(self, job: Job, *, base_url: str) -> str | None:
        """Return the address of the status document of `job`; None without a `base_url`."""
        return f"{base_url}/{self.document_key(job)}" if base_url else None

    def _token(self, key: str) -> str:
        digest = hmac.new(self._secret().encode(), key.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest.digest()[:16]).rstrip(b"=").decode()
