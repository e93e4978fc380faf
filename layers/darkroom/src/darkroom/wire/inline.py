"""A job whose pictures are `data:` URLs, up to the size limit of one response."""

import base64
from collections.abc import Callable

from darkroom.domain.job import Job
from darkroom.wire.job import JobView

ROOM = 5_000_000
"""Maximum characters of all pictures in a response: 6 MB for Lambda, less 1 MB for the rest of the job."""

_PREFIX = "data:image/jpeg;base64,"


def inline_view(job: Job, link: Callable[[str], str], read: Callable[[str, int], bytes | None]) -> JobView:
    """Return the view of `job` with its pictures as `data:` URLs, evidence first, until `ROOM` is used.

    `read` returns at most the given number of bytes of the picture at a key, or None if it was deleted. A
    picture that was deleted or does not fit is a link, and `linkedIds` names it. After the first picture
    that does not fit, no other is read.
    """
    room = ROOM
    linked: list[str] = []

    def image(shot_id: str) -> str:
        nonlocal room
        limit = (room - len(_PREFIX)) // 4 * 3
        jpeg = read(job.images[shot_id], limit + 1) if limit > 0 else None
        if jpeg is None or len(jpeg) > limit:
            if jpeg is not None:
                room = 0  # this picture does not fit: read no other
            linked.append(shot_id)
            return link(shot_id)
        text = _PREFIX + base64.b64encode(jpeg).decode()
        room -= len(text)
        return text

    view = JobView.of(job, image)
    if linked:
        return view.model_copy(update={"linked_ids": linked})
    return view
