"""Errors in JSON that are found before a model validates it, and the places they name."""

import json
import time
import tracemalloc

import pytest
from darkroom.domain.errors import MAX_FIELDS, InvalidInput
from darkroom.wire.json_text import json_errors
from darkroom.wire.model import parse
from darkroom.wire.requests import RetryRequest, SubmitRequest
from darkroom.wire.snapshot import ImageProgressUpdate

ITEM = '{"id": "a", "name": "Key", "description": "brass"}'
CASE = f'{{"caseId": "c", "evidence": [{ITEM}]}}'


def fields(body: bytes | str) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else body.encode()
    return {error.field: error.message for error in json_errors(raw)}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"a": 1, "a": 1}', "a"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"x": {"y": [{}, {"b": 1, "c": 2, "b": 3}]}}', "x.y.1.b"),
        ('[[{"a": 1, "a": 2}]]', "0.0.a"),
        ('{"": 1, "": 2}', ""),
        ('{"shots": {"a": {"description": "x"}, "a": {"description": "y"}}}', "shots.a"),
    ],
)
def test_a_duplicate_name_is_refused_at_any_depth(body: str, field: str) -> None:
    assert {name or "": message for name, message in fields(body).items()}.keys() == {field or "body"}
    assert "once" in next(iter(fields(body).values()))


def test_the_same_name_in_two_objects_is_fine() -> None:
    assert fields('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}') == {}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ('{"a": ["x", "\\ud83d"]}', "a.1", "surrogate"),
        ('{"a": "\\ude00\\ud83d"}', "a", "surrogate"),
        ('{"\\ud83d": 1}', "?", "surrogate"),
        ('{"a": ' + "9" * 5000 + "}", "a", "digits"),
        ('{"a": -1.' + "9" * 5000 + "}", "a", "digits"),
        ('{"a": ' + "[" * 101 + "]" * 101 + "}", "a", "deep"),
        ('{"' + "k" * 201 + '": 1}', "k" * 63 + "…", "name"),
        ("[" * 100_000, "body", "deep"),
        ('{"a":' * 100_000, "body", "deep"),
        ("", "body", "Invalid JSON"),
        ("{", "body", "line 1 column 2"),
        ('{"a": "\n"}', "body", "control character"),
        ('\ufeff{"a": 1}', "body", "Invalid JSON"),
        (b'{"a": "\xff"}', "body", "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "body", "UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "body", "Invalid JSON"),
        (b"\xed\xa0\x80", "body", "UTF-8"),
        ("{} {}", "body", "Invalid JSON"),
        ('"\n"', "body", "Invalid JSON: Invalid control character at line 1 column 2"),
        ("{'a': 1}", "body", "Invalid JSON"),
        ('{"a": 0x10}', "body", "Invalid JSON"),
        ('{"a": 1,}', "body", "Invalid JSON"),
    ],
)
def test_malformed_json_is_refused_and_its_place_is_named(body: bytes | str, field: str, says: str) -> None:
    assert says in fields(body)[field]


@pytest.mark.parametrize(
    "body",
    ['"\\ud83d\\ude00"', "\r\n{\t}\r\n", '"\\u0000"', "9" * 4000, "-0", "1e400", "NaN", '"\U0001f600"'],
)
def test_unusual_but_unambiguous_json_is_left_to_the_model(body: str) -> None:
    assert fields(body) == {}


@pytest.mark.parametrize("model", [SubmitRequest, RetryRequest, ImageProgressUpdate])
def test_one_byte_order_mark_is_accepted(model: type[SubmitRequest]) -> None:
    body = CASE.encode() if model is SubmitRequest else b"{}"
    results = []
    for mark in (b"", b"\xef\xbb\xbf"):
        try:
            results.append(repr(parse(model, mark + body)))
        except InvalidInput as error:
            results.append(repr(error.errors))
    assert results[0] == results[1]
    with pytest.raises(InvalidInput, match="Invalid JSON"):
        parse(model, b"\xef\xbb\xbf" * 2 + body)


def test_a_field_is_accepted_only_by_its_name_on_the_wire() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(SubmitRequest, CASE.replace("caseId", "case_id").encode())
    assert {error.field for error in refused.value.errors} == {"caseId", "case_id"}


@pytest.mark.parametrize(
    "number", ["1e400", "NaN", "Infinity", "-Infinity", "-0", "true", '"1"', "9" * 399, "1e-400"]
)
def test_an_invalid_number_is_refused_and_its_field_is_named(number: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(SubmitRequest, f'{CASE[:-1]}, "maxCostUsd": {number}}}'.encode())
    assert [error.field for error in refused.value.errors] == ["maxCostUsd"]


@pytest.mark.parametrize(
    "body",
    [
        '{"shots": {"' + "k" * 130_000 + '": {' + ",".join(f'"{n}":0' for n in range(13_000)) + "}}}",
        '{"shots": {"' + "k" * 190 + '": {' + ",".join(f'"{n}":0' for n in range(26_000)) + "}}}",
        "{" + ",".join(f'"{n}":0' for n in range(26_000)) + "}",
        '{"shots": {' + ",".join(f'"{n}":0' for n in range(26_000)) + "}}",
        '{"shots": {' + ",".join('"a":0' for _ in range(40_000)) + "}}",
        '{"shots": ' + "[" * 30 + ",".join('"\\ud800"' for _ in range(26_000)) + "]" * 30 + "}",
        '{"shots": {' + ",".join(f'"a b{n}":{{}}' for n in range(15_000)) + "}}",
    ],
    ids=range(7),
)
def test_every_body_is_refused_with_a_small_error_and_in_little_time(body: str) -> None:
    raw = body.encode()
    assert len(raw) <= 262_144
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput) as refused:
            parse(RetryRequest, raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1 <= len(refused.value.errors) <= MAX_FIELDS
    assert sum(len(e.field) + len(e.message) for e in refused.value.errors) < 10_000
    assert len(str(refused.value)) < 5_000
    assert peak < 100_000_000
    assert time.process_time() - began < 30  # a quadratic check would take minutes


def test_an_error_says_how_many_more_fields_are_wrong() -> None:
    items = [{"id": "a b"} for _ in range(40)]
    with pytest.raises(InvalidInput, match=r"and \d+ more") as refused:
        parse(SubmitRequest, json.dumps({"caseId": "c", "evidence": items}).encode())
    assert len(refused.value.errors) == MAX_FIELDS
