"""Prompts, digests, keys and batches."""

import hashlib

import pytest
from darkroom.domain.case import Case, Shot, ShotKind, batches, image_key, image_run, prompt_digest

from testing.builders import a_case


def a_shot(kind: ShotKind = ShotKind.EVIDENCE, description: str = "Half a page.") -> Shot:
    return Shot(id="e-1", kind=kind, name="Torn letter", description=description)


def test_the_prompt_of_evidence_asks_for_detail() -> None:
    assert a_shot().prompt == (
        "Evidence photography: Torn letter. Half a page. Clear detail, forensic quality, neutral background."
    )


def test_the_prompt_of_a_location_asks_for_mood() -> None:
    assert a_shot(ShotKind.LOCATION).prompt == (
        "Atmospheric environmental photography: Torn letter. Half a page."
        " Film noir aesthetic, dramatic lighting, moody atmosphere, empty location."
    )


def test_braces_in_a_description_stay_braces() -> None:
    assert "{name} {0}" in a_shot(description="{name} {0}").prompt


def test_another_description_has_another_digest() -> None:
    other = prompt_digest(a_shot(description="A whole page").prompt, salt="salt")
    assert prompt_digest(a_shot().prompt, salt="salt") != other


def test_the_same_prompt_has_the_same_digest_only_under_the_same_salt() -> None:
    prompt = a_shot().prompt
    assert prompt_digest(prompt, salt="salt") == prompt_digest(prompt, salt="salt")
    assert prompt_digest(prompt, salt="salt") != prompt_digest(prompt, salt="another")


def test_a_digest_is_no_plain_hash_of_the_prompt() -> None:
    """A reader who guesses the description, and sees the digest in a picture's address, learns nothing."""
    prompt = a_shot().prompt
    digest = prompt_digest(prompt, salt="0f8fad5bd9cb469fa16570867728950e")
    for name in sorted(hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}):
        for text in (prompt, "Torn letter", "Half a page."):
            assert digest not in hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def test_texts_shifted_between_fields_make_another_digest() -> None:
    one = Case(case_id="c", shots=(Shot(id="a", kind=ShotKind.EVIDENCE, name="bc", description="d"),))
    two = Case(case_id="c", shots=(Shot(id="a", kind=ShotKind.EVIDENCE, name="b", description="cd"),))
    assert one.digest != two.digest


def test_a_key_names_case_job_shot_prompt_and_run() -> None:
    key = image_key("case-1", "job-1", "e-1", digest="0123456789abcdef", run=3)
    assert key == "cases/case-1/job-1/e-1/0123456789abcdef-3.jpg"


@pytest.mark.parametrize(
    "key",
    [
        "cases/case-2/job-1/e-1/{digest}-1.jpg",
        "cases/case-1/job-2/e-1/{digest}-1.jpg",
        "cases/case-1/job-1/e-2/{digest}-1.jpg",
        "cases/case-1/job-1/e-1/0000000000000000-1.jpg",
        "cases/case-1/job-1/e-1/../e-1/{digest}-1.jpg",
        "cases/case-1/job-1/e-1/{digest}-1.png",
        "{digest}-1.jpg",
        "",
    ],
)
def test_a_key_of_another_shot_job_or_prompt_names_no_run(key: str) -> None:
    digest = "0123456789abcdef"
    run = image_run(key.format(digest=digest), case_id="case-1", job_id="job-1", shot_id="e-1", digest=digest)
    assert run is None


def test_a_key_names_the_run_that_made_the_picture() -> None:
    digest = "0123456789abcdef"
    key = image_key("case-1", "job-1", "e-1", digest=digest, run=12)
    assert image_run(key, case_id="case-1", job_id="job-1", shot_id="e-1", digest=digest) == 12


def test_the_default_case_has_batches_of_five_five_and_four() -> None:
    sizes = {ShotKind.EVIDENCE: 5, ShotKind.LOCATION: 4}
    assert [len(batch) for batch in batches(a_case().shots, sizes)] == [5, 5, 4]


@pytest.mark.parametrize(
    ("evidence", "locations", "expected"),
    [(1, 0, [1]), (0, 1, [1]), (6, 0, [5, 1]), (0, 9, [4, 4, 1]), (12, 5, [5, 5, 2, 4, 1])],
)
def test_batches_suit_any_number_of_items(evidence: int, locations: int, expected: list[int]) -> None:
    sizes = {ShotKind.EVIDENCE: 5, ShotKind.LOCATION: 4}
    shots = a_case(evidence, locations).shots
    assert [len(batch) for batch in batches(shots, sizes)] == expected
    assert [shot for batch in batches(shots, sizes) for shot in batch] == list(shots)
