"""Authentication and authorization of the API's callers."""

import functools
from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from darkroom.domain.access import Access, Scope

type _Handler = Callable[..., Response[str]]


def caller_of(event: APIGatewayProxyEventV2) -> Access:
    """Return the caller that the authorizer found. A request without an authorizer has no rights."""
    found = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    scopes = frozenset(Scope(name) for name in found.get("scopes", "").split())
    return Access(caller=found.get("caller", ""), scopes=scopes, case_id=found.get("caseId") or None)


def requires(app: APIGatewayHttpResolver, scope: Scope) -> Callable[[_Handler], _Handler]:
    """Return a decorator of handlers. The decorated one raises Forbidden for a caller without `scope`.

    The scope must be for the case in the path. The handler checks it, because API Gateway caches the
    authorizer's result for all routes and cases. Only the form of the path is checked earlier. The table is
    read later, so a refusal does not reveal whether a case exists.
    """

    def decorate(handler: _Handler) -> _Handler:
        @functools.wraps(handler)
        def checked(**path: str) -> Response[str]:
            caller_of(app.current_event).check(scope, path.get("caseId"))
            return handler(**path)

        return checked

    return decorate


def allowed_max_cost(event: APIGatewayProxyEventV2, micro_usd: int | None) -> int | None:
    """Return `micro_usd`; raise Forbidden when a caller without the scope `submit` gives one."""
    if micro_usd is not None:
        caller_of(event).check(Scope.SUBMIT)
    return micro_usd
