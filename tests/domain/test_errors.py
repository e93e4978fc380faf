"""The tree of errors, and what the API says of it to callers."""

import json
import re

import pytest
from darkroom.api import responses
from darkroom.domain import errors, shot_errors
from darkroom.domain.errors import DarkroomError, FieldError, InvalidInput, RequestError, tree
from darkroom.domain.shot_errors import ShotError
from darkroom.wire.problems import CODES

from local import openapi

KINDS = [kind for kind in tree(DarkroomError) if kind is not RequestError]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do_about_it(kind: type[DarkroomError]) -> None:
    assert "advice" in vars(kind), f"{kind.__name__} lacks `advice`"
    assert kind.advice.endswith(".")
    assert kind.__doc__


def test_the_reference_lists_every_code_with_its_advice_once() -> None:
    text = openapi.REFERENCE.read_text()
    codes = text[text.index("## Codes") : text.index("## Schemas")]
    shown = [kind for kind in KINDS if kind.code in CODES or issubclass(kind, ShotError)]
    assert [line.split("`")[1] for line in codes.splitlines() if line.startswith("| `")] == [
        kind.code for kind in (*(k for k in shown if not issubclass(k, ShotError)), *tree(ShotError))
    ]
    assert all(kind.advice in codes for kind in shown)


def test_the_description_has_the_codes_of_the_tree() -> None:
    schemas = json.loads(openapi.TARGET.read_text())["components"]["schemas"]
    assert schemas["Problem"]["properties"]["code"]["enum"] == CODES
    assert schemas["FailureView"]["properties"]["code"]["enum"] == [kind.code for kind in tree(ShotError)]
    assert {kind.code for kind in responses.STATUS} <= set(CODES)


def test_an_error_names_at_most_twenty_fields_and_quotes_a_bounded_part_of_each() -> None:
    many = [FieldError("f" * 10_000, "m" * 10_000) for _ in range(10_000)]
    error = InvalidInput("x" * 1_000_000, many)
    assert len(error.errors) == errors.MAX_FIELDS == 20
    assert len(responses.problem(error).body or "") < 20_000
    assert all(len(one.field) == len(one.message) == errors.MAX_QUOTED for one in error.errors)


def test_what_is_short_is_quoted_whole() -> None:
    error = InvalidInput("wrong", [FieldError("a" * 200, "b")])
    assert (str(error), error.errors) == ("wrong", (FieldError("a" * 200, "b"),))


@pytest.mark.parametrize("kind", tree(RequestError)[1:], ids=lambda kind: kind.__name__)
def test_every_error_of_a_request_has_a_status_of_its_own(kind: type[RequestError]) -> None:
    assert 400 <= responses.STATUS[kind] < 500


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(codes) == len(set(codes))


def test_the_modules_draw_every_error_in_their_trees() -> None:
    drawn = re.findall(r"[├└]── (\w+)", f"{errors.__doc__}{shot_errors.__doc__}")
    assert sorted(drawn) == sorted(kind.__name__ for kind in tree(DarkroomError)[1:])
