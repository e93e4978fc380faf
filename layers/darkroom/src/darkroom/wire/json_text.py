"""JSON as strangers send it: whatever two parsers could read in two ways is refused, and its place named."""

import json
from collections.abc import Iterator
from itertools import islice

from darkroom.domain.errors import MAX_FIELDS, MAX_QUOTED, FieldError, shortened

MARK = b"\xef\xbb\xbf"
"""The byte-order mark that some tools put in front of UTF-8."""

MAX_DEPTH = 100
MAX_DIGITS = 4_000
"""Both are just below what pydantic's parser takes, which does not say where the rest is."""

type _Path = tuple[str, ...]


class _Members(list[tuple[str, object]]):
    """The members of an object in their order, those given twice included."""


class _Digits(str):
    """A number as it was written."""

    __slots__ = ()


def json_errors(body: bytes, *, max_name: int = MAX_QUOTED) -> list[FieldError]:
    """Return what is wrong with `body` as JSON, before anybody asks for its meaning; at most `MAX_FIELDS`.

    Names that are given twice in one object, half surrogates, overlong numbers and deep nesting are refused
    here, because a parser keeps the last, guesses, or says nothing of where they are. So are names of more
    than `max_name` characters, because every wrong field below one repeats it.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_Members, parse_int=_Digits, parse_float=_Digits)
    except UnicodeDecodeError:
        return [FieldError("body", "Invalid JSON: it must be UTF-8")]
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno} column {error.colno}"
        return [FieldError("body", f"Invalid JSON: {error.msg.removesuffix(' at')} {where}")]
    except RecursionError:
        return [FieldError("body", f"must be nested at most {MAX_DEPTH} deep")]
    return list(islice(_wrong(value, max_name), MAX_FIELDS))


def _wrong(value: object, max_name: int) -> Iterator[FieldError]:
    """Each wrong place in `value`; a stack, because nesting is the sender's choice."""
    left: list[tuple[_Path, object]] = [((), value)]
    while left:
        path, one = left.pop()
        match one:
            case _ if len(path) > MAX_DEPTH:
                yield _error(path[:1], f"must be nested at most {MAX_DEPTH} deep")
            case _Members():
                yield from _wrong_names(path, one, max_name)
                left += reversed([((*path, name), member) for name, member in one])
            case list():
                left += reversed([((*path, str(n)), item) for n, item in enumerate(one)])
            case _Digits() if len(one) > MAX_DIGITS:
                yield _error(path, f"must have at most {MAX_DIGITS} digits")
            case str() if _is_torn(one):
                yield _error(path, "must be Unicode: it has half of a surrogate pair")


def _wrong_names(path: _Path, members: _Members, max_name: int) -> Iterator[FieldError]:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            yield _error((*path, name), "must be given once only")
        seen.add(name)
        if len(name) > max_name:
            yield _error((*path, name), f"must have a name of at most {max_name} characters")
        if _is_torn(name):
            yield _error((*path, name), "must have a name in Unicode: it has half of a surrogate pair")


def _is_torn(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def _error(path: _Path, message: str) -> FieldError:
    """Name the place; half a surrogate cannot be sent back."""
    said = ".".join(shortened(part, 64) for part in path) or "body"
    return FieldError(said.encode(errors="replace").decode(), message)
