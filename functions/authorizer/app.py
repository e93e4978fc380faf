"""Authorize requests to the API. API Gateway caches each result for five minutes, for all routes."""

from typing import Any

import darkroom.startup
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import observability
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.api_tokens import ApiTokens
from darkroom.adapters.signing.share_links import ShareLinks, is_share_token
from darkroom.clock import clock
from darkroom.domain.access import Access
from darkroom.settings import AuthorizerSettings

SETTINGS = AuthorizerSettings.load()
LOGGER = observability.logger("authorizer")
TOKENS = ApiTokens(
    secret(SETTINGS.api_tokens), lambda fault: LOGGER.error("caller_entry_skipped", fault=fault)
)
SHARES = ShareLinks(secret(SETTINGS.share_secret))
MAX_TOKEN = 1024
"""Longest accepted token, in characters; a longer one is refused."""
darkroom.startup.done()


def authenticate(authorization: str) -> Access | None:
    """Return what the sender of this Authorization header may do; None for an unknown one."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token.isascii() or not 0 < len(token) <= MAX_TOKEN:
        return None
    return SHARES.verify(token, now=clock()) if is_share_token(token) else TOKENS.authenticate(token)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    # Return a result whatever was sent: an error here would be a server error for the caller.
    sources = event.get("identitySource") or []
    found = authenticate(sources[0]) if len(sources) == 1 else None
    if found is None:
        LOGGER.warning("caller_rejected", route=event.get("routeKey"))
        return {"isAuthorized": False}
    LOGGER.info(
        "caller_authenticated", caller=found.caller, case_id=found.case_id, route=event.get("routeKey")
    )
    scopes = " ".join(sorted(found.scopes))
    known = {"caller": found.caller, "scopes": scopes, "caseId": found.case_id or ""}
    return {"isAuthorized": True, "context": known}
