"""Jobs with pictures as data: URLs."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace

from darkroom.domain.case import Case, Shot, ShotKind
from darkroom.domain.job import Job
from darkroom.wire.inline import ROOM, inline_view
from darkroom.wire.job import JobView
from darkroom.wire.model import dump

from testing.builders import a_case, a_job, keys_of

CASE = a_case(evidence=5, locations=2)
IDS = [shot.id for shot in CASE.shots]


def a_job_with_pictures() -> Job:
    return replace(a_job(CASE), images=keys_of(CASE, *IDS))


class Storage:
    """Pictures by shot, and the shots whose pictures were read."""

    def __init__(self, job: Job, pictures: Mapping[str, bytes]) -> None:
        self.pictures = {job.images[shot_id]: jpeg for shot_id, jpeg in pictures.items()}
        self.ids = {key: shot_id for shot_id, key in job.images.items()}
        self.read_ids: list[str] = []
        self.read_bytes = 0

    def read(self, key: str, limit: int) -> bytes | None:
        self.read_ids.append(self.ids[key])
        jpeg = self.pictures.get(key)
        if jpeg is None:
            return None
        self.read_bytes += len(jpeg[:limit])
        return jpeg[:limit]


def view(pictures: Mapping[str, bytes]) -> tuple[JobView, Storage]:
    job = a_job_with_pictures()
    storage = Storage(job, pictures)
    return inline_view(job, lambda shot_id: f"link-to-{shot_id}", storage.read), storage


def images(found: JobView) -> dict[str, str]:
    return found.evidence_images | found.location_images


def test_pictures_that_fit_are_all_inline_and_none_is_listed() -> None:
    found, _ = view({shot_id: shot_id.encode() for shot_id in IDS})
    assert found.linked_ids is None
    assert "linkedIds" not in json.loads(dump(found))
    assert images(found) == {
        shot_id: f"data:image/jpeg;base64,{base64.b64encode(shot_id.encode()).decode()}" for shot_id in IDS
    }


def test_from_the_first_picture_that_does_not_fit_all_are_links_and_no_more_are_read() -> None:
    third = ROOM // 4
    found, storage = view(dict.fromkeys(IDS, b"x" * third))
    assert found.linked_ids == IDS[2:]
    assert storage.read_ids == IDS[:3]
    assert storage.read_bytes < ROOM
    assert [images(found)[shot_id] for shot_id in IDS[2:]] == [f"link-to-{shot_id}" for shot_id in IDS[2:]]


def test_a_deleted_picture_is_a_link_and_the_others_are_inline() -> None:
    found, _ = view({shot_id: b"x" for shot_id in IDS if shot_id != IDS[1]})
    assert found.linked_ids == [IDS[1]]
    assert images(found)[IDS[1]] == f"link-to-{IDS[1]}"


def test_a_picture_of_exactly_the_limit_fits_and_one_byte_more_does_not() -> None:
    exactly = (ROOM - len("data:image/jpeg;base64,")) // 4 * 3
    assert view({IDS[0]: b"x" * exactly})[0].linked_ids == IDS[1:]
    assert view({IDS[0]: b"x" * (exactly + 1)})[0].linked_ids == IDS


def test_the_largest_response_is_below_the_limit_of_lambda() -> None:
    """Lambda returns at most 6 MB, with the body as a JSON string. These names are the longest in JSON."""
    shots = tuple(
        Shot(id=f"{n:064}", kind=ShotKind.EVIDENCE, name="\U0001f5dd" * 200, description="d")
        for n in range(100)
    )
    case = Case(case_id="c" * 64, shots=shots)
    job = replace(a_job(case), images={shot.id: "k" * 220 for shot in shots})
    found = inline_view(job, lambda _: "l" * 400, lambda _, limit: b"x" * min(limit, 100_000))
    assert found.linked_ids
    assert ROOM * 0.9 < len(json.dumps(dump(found))) < 6 * 1024 * 1024
