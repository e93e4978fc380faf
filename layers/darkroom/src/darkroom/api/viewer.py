"""The page where people watch a case: static files, the same for every case.

It holds nothing of a case: its script asks the API with the token of the link, so the page itself
needs no authorization. Nothing may be loaded from elsewhere but pictures from where they are stored.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from darkroom.api import openapi, responses
from darkroom.domain.errors import RouteNotFound
from darkroom.wire.entity_tags import EntityTag, is_known

KEEP_S = 300
"""So long after a release a browser may show the page of before."""

_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript"}
_PAGE = "viewer.html"


@dataclass(frozen=True)
class _File:
    text: str
    media_type: str

    @property
    def tag(self) -> EntityTag:
        return EntityTag(hashlib.sha256(self.text.encode()).hexdigest()[:16])


def install(app: APIGatewayHttpResolver, folder: Path, pictures_from: Callable[[], str]) -> None:
    """Serve the page in `folder`; it may show pictures from the origin that `pictures_from` gives."""
    files = {path.name: _File(path.read_text(), _TYPES[path.suffix]) for path in folder.iterdir()}
    page = files.pop(_PAGE)

    @app.get("/cases/<caseId>", **openapi.PAGE)
    def case_page(caseId: str) -> Response[str]:  # noqa: N803, ARG001 - of the address; the page reads it
        return _answer(app, page, {"Content-Security-Policy": _policy(pictures_from())})

    @app.get("/assets/<name>", **openapi.ASSET)
    def asset(name: str) -> Response[str]:
        if name not in files:
            raise RouteNotFound("the page has no such file")
        return _answer(app, files[name], {})


def _answer(app: APIGatewayHttpResolver, file: _File, more: Mapping[str, str]) -> Response[str]:
    headers: responses.Headers = {
        "ETag": str(file.tag),
        "Cache-Control": f"public, max-age={KEEP_S}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        **more,
    }
    if is_known(app.current_event.headers.get("if-none-match"), file.tag):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
    return Response(HTTPStatus.OK, content_type=file.media_type, body=file.text, headers=headers)


def _policy(pictures_from: str) -> str:
    # `data:` is the pictures of the contact sheet, and the icon that is none.
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        f" img-src 'self' data: {pictures_from}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
