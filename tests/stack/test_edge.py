"""The gateway and the functions together: HEAD requests and very long ids."""

import json

import pytest

from local import openapi
from tests.stack.conftest import Api

DESCRIBED = json.loads(openapi.TARGET.read_text())["paths"]
GETS = [path for path, methods in DESCRIBED.items() if "get" in methods]


@pytest.fixture
def case_id(api: Api) -> str:
    body = {"caseId": "edge", "evidence": [{"id": "e", "name": "Key", "description": "brass"}]}
    api.call("POST", "/api/generate-case-images", json=body).raise_for_status()
    api.ended("edge")
    return "edge"


@pytest.mark.parametrize("path", GETS)
def test_head_has_the_authorizer_and_the_headers_of_get_and_no_body(
    api: Api, case_id: str, path: str
) -> None:
    filled = path.format(caseId=case_id, shotId="e", name="viewer.js")
    got, head = (api.call(method, filled, follow_redirects=False) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("content-type", "etag", "cache-control", "location"):
        assert head.headers.get(name) == got.headers.get(name)
    unknown = api.http.head(api.stack.api_url + filled)
    assert (unknown.status_code == 401) == ("security" in DESCRIBED[path]["get"])


def test_a_long_id_is_not_found_without_a_token(api: Api) -> None:
    for path in ("/api/cases/{}/images/x?s=y", "/api/cases/x/images/{}", "/cases/{}", "/assets/{}", "/{}"):
        response = api.http.get(api.stack.api_url + path.format("a" * 3000))
        assert response.status_code == 404


def test_a_long_id_is_not_found_with_a_token(api: Api) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/retry"),
        ("GET", "/callbacks"),
        ("GET", "/timeline"),
    ):
        assert api.call(method, f"/api/cases/{'a' * 3000}/image-job{path}").status_code == 404
