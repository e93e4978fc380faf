"""The links to pictures that answers hold: short, stable for the life of a picture, and signed.

A link leads to the reader, which redirects to a freshly presigned S3 address: one presigned for the
answer itself would be 1.4 KB long and would die with the credentials of the role that signed it.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

from darkroom.domain.job import Job


class ImageLinks:
    """Signs for (job, shot, picture): a replaced picture has another link."""

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def link(self, job: Job, shot_id: str, *, base_url: str) -> str:
        """The link to a shot that has a picture."""
        token = self._token(job, shot_id)
        return f"{base_url}/api/cases/{job.case_id}/images/{shot_id}?s={token}"

    def holds(self, job: Job, shot_id: str, token: str) -> bool:
        """Whether `token` is of the link to the shot's picture; False when it has none."""
        if shot_id not in job.images or not token.isascii():
            return False
        return hmac.compare_digest(self._token(job, shot_id).encode(), token.encode())

    def _token(self, job: Job, shot_id: str) -> str:
        digest = hmac.new(self._secret().encode(), job.images[shot_id].encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest.digest()[:16]).rstrip(b"=").decode()
