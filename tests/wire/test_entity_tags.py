"""`If-Match` and `If-None-Match`, in the forms that RFC 9110 allows."""

import time

import pytest
from darkroom.wire.entity_tags import EntityTag, entity_tags, is_known, named_states

TAG = EntityTag("job-1.3.links")


@pytest.mark.parametrize(
    "field",
    [
        '"job-1.3.links"',
        'W/"job-1.3.links"',
        '"other", "job-1.3.links"',
        '"other","job-1.3.links"',
        ' \t"other" ,\tW/"job-1.3.links" ',
        ', ,"job-1.3.links",,',
        '"with, comma", "job-1.3.links"',
        '"", "job-1.3.links"',
        '"\xfcml\xe4ut", "job-1.3.links"',
        "*",
        " * ",
    ],
)
def test_a_known_tag_is_found_in_every_form(field: str) -> None:
    assert is_known(field, TAG)


@pytest.mark.parametrize(
    "field",
    [
        None,
        "",
        '"other"',
        '"job-1.3.links.x"',
        '"JOB-1.3.LINKS"',
        '"a,job-1.3.links"',
        "job-1.3.links",
        '"job-1.3.links',
        'job-1.3.links"',
        '"other" "job-1.3.links"',
        '*, "job-1.3.links"',
        'w/"job-1.3.links"',
        'W/ "job-1.3.links"',
        '"a\nb", "job-1.3.links"',
        '"\x7f", "job-1.3.links"',
    ],
)
def test_a_tag_is_unknown_if_the_field_does_not_name_it_or_is_malformed(field: str | None) -> None:
    assert not is_known(field, TAG)


def test_tags_of_every_form_of_a_job_name_its_state() -> None:
    assert named_states('"job-1.3.links", "job-1.4.inline", "job-1.5"') == frozenset(
        {"job-1.3", "job-1.4", "job-1.5"}
    )
    assert named_states(None) is None
    assert "job-1.3" in (named_states("*") or ())


def test_a_weak_tag_names_no_state() -> None:
    assert named_states('W/"job-1.3.links"') == frozenset()
    assert named_states('W/"job-1.3.links", "job-1.4"') == frozenset({"job-1.4"})


@pytest.mark.parametrize("field", ["", ",", "job-1.3", '"job-1.3', '"a" "b"', '*, "a"', "**", 'w/"a"'])
def test_a_malformed_field_is_an_error(field: str) -> None:
    with pytest.raises(ValueError, match="list of quoted tags"):
        named_states(field)


@pytest.mark.parametrize("piece", [" ", ",", '""', '"', "W/", 'W/"a",', "\t ,"])
def test_the_time_to_parse_a_field_is_linear_in_its_length(piece: str) -> None:
    began = time.process_time()
    is_known(piece * (64_000 // len(piece)), TAG)
    assert time.process_time() - began < 10  # a quadratic pattern would take minutes


def test_the_text_of_a_tag_is_what_was_parsed() -> None:
    assert [str(tag) for tag in entity_tags('W/"a", "b"') or []] == ['W/"a"', '"b"']
