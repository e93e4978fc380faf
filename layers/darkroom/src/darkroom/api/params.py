"""What a request says, parsed and checked: its body, its query and its `If-Match`."""

import base64
import functools
import inspect
from collections.abc import Callable, Container, Mapping
from typing import get_type_hints

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel

from darkroom.domain.errors import BodyTooLarge, FieldError, InvalidInput
from darkroom.wire.entity_tags import named_states
from darkroom.wire.model import parse

type _Handler = Callable[..., Response[str]]

type Check = Callable[[Mapping[str, str], bytes], None]
"""Check headers (names in lower case) and body before the body is parsed; raise what is wrong."""

_FLAGS = {"true": True, "false": False}


def with_body(
    app: APIGatewayHttpResolver, limit: int, check: Check | None = None
) -> Callable[[_Handler], _Handler]:
    """Return a decorator that passes the request's JSON body, validated, as the parameter `body`.

    The handler keeps its signature for the OpenAPI description. Powertools' own validation would
    import its OpenAPI models at start-up, which costs half as much as importing boto3.
    """

    def decorate(handler: _Handler) -> _Handler:
        model: type[BaseModel] = get_type_hints(handler)["body"]

        @functools.wraps(handler)
        def parsed(**path: str) -> Response[str]:
            event = app.current_event
            body = body_bytes(event, limit)
            if check:
                check({name.lower(): value for name, value in event.headers.items()}, body)
            return handler(**path, body=parse(model, body or b"{}"))

        return parsed

    return decorate


def body_bytes(event: APIGatewayProxyEventV2, limit: int) -> bytes:
    """Return the raw body; raise BodyTooLarge over `limit` bytes, InvalidInput when it cannot be decoded."""
    text = event.body or ""
    try:
        body = base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode()
    except ValueError:  # binascii.Error and UnicodeEncodeError: the second would quote the body
        raise InvalidInput("the body cannot be decoded") from None
    if len(body) > limit:
        raise BodyTooLarge(f"the body has {len(body)} bytes; at most {limit} are allowed")
    return body


def with_query(app: APIGatewayHttpResolver) -> Callable[[_Handler], _Handler]:
    """Return a decorator that passes the query parameters named by the handler's parameters with a default.

    A parameter whose default is False takes `true` or `false`.
    """

    def decorate(handler: _Handler) -> _Handler:
        parameters = inspect.signature(handler).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}

        @functools.wraps(handler)
        def parsed(**path: str) -> Response[str]:
            query = app.current_event.query_string_parameters or {}
            given = {name: query[name] for name in defaults if name in query}
            values = {
                name: choice(name, text, _FLAGS) if defaults[name] is False else text
                for name, text in given.items()
            }
            return handler(**path, **(defaults | values))

        return parsed

    return decorate


def choice[T](name: str, text: str, options: Mapping[str, T]) -> T:
    """Return what the query parameter `name` chooses; raise InvalidInput that names the options."""
    if text not in options:
        allowed = ", ".join(options)
        raise InvalidInput(f"{name} must be one of {allowed}", [FieldError(name, allowed)])
    return options[text]


def states_in_if_match(event: APIGatewayProxyEventV2) -> Container[str] | None:
    """Return the states of the job that `If-Match` names, in whatever form they were fetched.

    Raise InvalidInput when the header cannot be read: a condition that guards money must not be ignored.
    """
    try:
        return named_states(event.headers.get("if-match"))
    except ValueError as error:
        raise InvalidInput(f"If-Match {error}", [FieldError("If-Match", str(error))]) from None
