"""The running stack refuses callers without a right."""

from typing import Any

from local import package
from tests.stack.conftest import Api, a_case

FAR = {"caseId": "far", "evidence": [{"id": "e", "name": "Key", "description": "brass"}]}


def as_bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_stranger_can_neither_spend_nor_read(api: Api) -> None:
    api.call("POST", "/api/generate-case-images", json=a_case("secret", count=1)).raise_for_status()
    job = "/api/cases/secret/image-job"
    requests: list[tuple[str, str, Any]] = [
        ("POST", "/api/generate-case-images", FAR),
        ("GET", job, None),
        ("GET", "/api/cases/secret/image-status", None),
        ("GET", "/api/openapi.json", None),
        ("DELETE", job, None),
        ("POST", f"{job}/retry", {}),
    ]
    for method, path, body in requests:
        url = api.stack.api_url + path
        assert api.http.request(method, url, json=body).status_code == 401
        assert api.call(method, path, as_bearer("guessed" * 6), json=body).status_code == 403
    assert api.call("GET", "/api/cases/far/image-job").status_code == 404
    assert api.ended("secret")["status"] == "completed"


def test_a_share_link_allows_reading_its_case_and_nothing_else(api: Api) -> None:
    accepted = api.call("POST", "/api/generate-case-images", json=a_case("shared", count=1)).json()
    api.call("POST", "/api/generate-case-images", json=a_case("private", count=1))
    page, _, token = accepted["shareUrl"].partition("#")
    assert page == f"{api.stack.api_url}/cases/shared"
    guest = as_bearer(token)
    api.ended("shared")
    assert api.call("GET", "/api/cases/shared/image-job", guest).json() == api.job("shared")
    other = api.call("GET", "/api/cases/private/image-job", guest)
    unknown = api.call("GET", "/api/cases/unknown/image-job", guest)
    assert (other.status_code, other.json()["code"], other.text) == (403, "forbidden", unknown.text)
    assert api.call("POST", "/api/generate-case-images", guest, json=FAR).status_code == 403
    assert api.call("DELETE", "/api/cases/shared/image-job", guest).status_code == 403
    altered = as_bearer(token[:-2] + "xx")
    assert api.call("GET", "/api/cases/shared/image-job", altered).status_code == 403


def test_the_functions_print_no_token_link_or_description(api: Api) -> None:
    case = a_case("quiet", count=2)
    case["evidence"][0]["description"] = "a description that only this test has"
    shared = api.call("POST", "/api/generate-case-images", json=case).json()["shareUrl"].partition("#")[2]
    [link, _] = api.ended("quiet")["evidenceImages"].values()
    location = api.http.get(link).headers["location"]
    printed = (package.ROOT / ".local" / "test-stack.log").read_text()
    assert '"case_id":"quiet"' in printed
    secrets = [api.stack.token, api.stack.webhook_secret, shared, link, location, "that only this test has"]
    assert [secret for secret in secrets if secret in printed] == []
