"""Parse and check a request's body, query parameters and `If-Match` header."""

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
"""A check of the headers (names in lower case) and the body before the body is parsed. It raises an error."""

_FLAGS = {"true": True, "false": False}


def with_body(
    app: APIGatewayHttpResolver, limit: int, check: Check | None = None
) -> Callable[[_Handler], _Handler]:
    """Return a decorator that validates the request's JSON body and passes it as the parameter `body`.

    The handler keeps its signature for the OpenAPI description. Powertools' own validation is not used: it
    imports its OpenAPI models at start-up, which takes half as long as the import of boto3.
    """

    def decorate(handler: _Handler) -> _Handler:
        model: type[BaseModel] = get_type_hints(handler)["body"]

        @functools.wraps(handler)
        def parsed(**path: str) -> Response[str]:
            event = app.current_event
            body = body_bytes(event, limit)
            if check:
                headers = {name.lower(): value for name, value in event.headers.items()}
                check(headers, body)
            return handler(**path, body=parse(model, body or b"{}"))

        return parsed

    return decorate


def body_bytes(event: APIGatewayProxyEventV2, limit: int) -> bytes:
    """Return the raw body. Raise BodyTooLarge over `limit` bytes, InvalidInput if it cannot be decoded."""
    text = event.body or ""
    try:
        body = base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode()
    except ValueError:  # binascii.Error and UnicodeEncodeError: the second quotes the body
        raise InvalidInput("the body cannot be decoded") from None
    if len(body) > limit:
        raise BodyTooLarge(f"the body has {len(body)} bytes; at most {limit} are allowed")
    return body


def with_query(app: APIGatewayHttpResolver) -> Callable[[_Handler], _Handler]:
    """Return a decorator that passes query parameters to the handler's parameters of the same name.

    Only the handler's parameters with a default are passed. One whose default is False accepts `true` and
    `false`.
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
    """Return the option that the query parameter `name` selects. Raise InvalidInput if there is none."""
    if text not in options:
        allowed = ", ".join(options)
        raise InvalidInput(f"{name} must be one of {allowed}", [FieldError(name, allowed)])
    return options[text]


def states_in_if_match(event: APIGatewayProxyEventV2) -> Container[str] | None:
    """Return the states of the job that the `If-Match` header names; None without the header.

    Raise InvalidInput if the header is malformed. Ignoring it could start a retry that the caller does not
    want to pay for.
    """
    try:
        return named_states(event.headers.get("if-match"))
    except ValueError as error:
        raise InvalidInput(f"If-Match {error}", [FieldError("If-Match", str(error))]) from None
