"""Find the places where JSON from outside is malformed, or where two parsers could read it differently."""

import json
from collections.abc import Iterator
from itertools import islice

from darkroom.domain.errors import MAX_FIELDS, MAX_QUOTED, FieldError, shortened

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The byte-order mark, which some tools write before UTF-8."""

MAX_DEPTH = 100
"""Maximum nesting: just below the limit of pydantic's parser, which does not name the place of its error."""

MAX_DIGITS = 4_000
"""Maximum characters of a number: just below the limit of pydantic's parser."""

type _Path = tuple[str, ...]


class _Members(list[tuple[str, object]]):
    """The members of an object in their order, duplicates included."""


class _Digits(str):
    """A number, as the text that was received."""

    __slots__ = ()


def json_errors(body: bytes, *, max_name: int = MAX_QUOTED) -> list[FieldError]:
    """Return the errors in `body` as JSON, at most `MAX_FIELDS`. A model then validates its meaning.

    Duplicate names in one object, unpaired surrogates, overlong numbers and deep nesting are errors. A
    parser would silently keep the last duplicate, or would not name the place. Names of more than `max_name`
    characters are errors too, because the path of every wrong field below one repeats it.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_Members, parse_int=_Digits, parse_float=_Digits)
    except UnicodeDecodeError:
        return [FieldError("body", "Invalid JSON: it must be UTF-8")]
    except json.JSONDecodeError as error:
        message = error.msg.removesuffix(" at")
        place = f"at line {error.lineno} column {error.colno}"
        return [FieldError("body", f"Invalid JSON: {message} {place}")]
    except RecursionError:
        return [FieldError("body", f"must be nested at most {MAX_DEPTH} deep")]
    errors = _errors(value, max_name)
    return list(islice(errors, MAX_FIELDS))


def _errors(value: object, max_name: int) -> Iterator[FieldError]:
    """Yield an error for each wrong place in `value`.

    It uses a stack of its own: the sender decides the nesting, and recursion would be limited.
    """
    stack: list[tuple[_Path, object]] = [((), value)]
    while stack:
        path, element = stack.pop()
        match element:
            case _ if len(path) > MAX_DEPTH:
                yield _error(path[:1], f"must be nested at most {MAX_DEPTH} deep")
            case _Members():
                yield from _name_errors(path, element, max_name)
                stack += reversed([((*path, name), member) for name, member in element])
            case list():
                stack += reversed([((*path, str(n)), item) for n, item in enumerate(element)])
            case _Digits() if len(element) > MAX_DIGITS:
                yield _error(path, f"must have at most {MAX_DIGITS} digits")
            case str() if _has_unpaired_surrogate(element):
                yield _error(path, "must be Unicode: it has half of a surrogate pair")


def _name_errors(path: _Path, members: _Members, max_name: int) -> Iterator[FieldError]:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            yield _error((*path, name), "must be given only once")
        seen.add(name)
        if len(name) > max_name:
            yield _error((*path, name), f"must have a name of at most {max_name} characters")
        if _has_unpaired_surrogate(name):
            yield _error((*path, name), "must have a name in Unicode: it has half of a surrogate pair")


def _has_unpaired_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def _error(path: _Path, message: str) -> FieldError:
    """Return an error that names the place. Half surrogates become `?`: UTF-8 cannot express them."""
    place = ".".join(shortened(part, 64) for part in path) or "body"
    utf_8 = place.encode(errors="replace")
    return FieldError(utf_8.decode(), message)
