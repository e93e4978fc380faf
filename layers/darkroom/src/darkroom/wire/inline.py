"""A job with its pictures in it, as far as one answer has room."""

import base64
from collections.abc import Callable

from darkroom.domain.job import Job
from darkroom.wire.job import JobView

ROOM = 5_000_000
"""Characters of all pictures in an answer. Lambda returns 6 MB; the rest of the largest job takes 1 MB."""

_PREFIX = "data:image/jpeg;base64,"


def inline_view(job: Job, link: Callable[[str], str], read: Callable[[str, int], bytes | None]) -> JobView:
    """Return the view of `job` with its pictures as `data:` URLs, evidence first, until `ROOM` is used.

    `read` returns the picture at a key, cut after so many bytes; None when it is gone. A picture that is
    gone or does not fit is a link, and is named in `linkedIds`. After the first that does not fit no other
    is read.
    """
    room = ROOM
    linked: list[str] = []

    def image(shot_id: str) -> str:
        nonlocal room
        limit = (room - len(_PREFIX)) // 4 * 3
        jpeg = read(job.images[shot_id], limit + 1) if limit > 0 else None
        if jpeg is None or len(jpeg) > limit:
            room = room if jpeg is None else 0
            linked.append(shot_id)
            return link(shot_id)
        text = _PREFIX + base64.b64encode(jpeg).decode()
        room -= len(text)
        return text

    view = JobView.of(job, image)
    return view.model_copy(update={"linked_ids": linked}) if linked else view
