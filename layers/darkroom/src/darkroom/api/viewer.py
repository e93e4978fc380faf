"""The web page on which people watch a case: static files, the same for every case.

The page contains no data of a case, so it needs no authorization. Its script calls the API with the
token of the share link. The page may load pictures from where they are stored, and nothing else from
another origin.
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
"""Seconds that a browser may cache the page: after a release it may show the previous one that long."""

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
    """Serve the page in `folder`. It may show pictures from the origin that `pictures_from` returns."""
    files = {path.name: _File(path.read_text(), _TYPES[path.suffix]) for path in folder.iterdir()}
    page = files.pop(_PAGE)

    @app.get("/cases/<caseId>", **openapi.PAGE)
    def case_page(caseId: str) -> Response[str]:  # noqa: N803, ARG001 - the page's script reads it
        policy = _content_security_policy(pictures_from())
        return _file_or_not_modified(app, page, {"Content-Security-Policy": policy})

    @app.get("/assets/<name>", **openapi.ASSET)
    def asset(name: str) -> Response[str]:
        if name not in files:
            raise RouteNotFound("the page has no file of this name")
        return _file_or_not_modified(app, files[name], {})


def _file_or_not_modified(app: APIGatewayHttpResolver, file: _File, more: Mapping[str, str]) -> Response[str]:
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


def _content_security_policy(pictures_from: str) -> str:
    # `data:` allows the pictures of the contact sheet and the page's icon.
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        f" img-src 'self' data: {pictures_from}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
