"""The web page of a case, as the reader serves it."""

import re

import pytest
from darkroom.domain.errors import tree
from darkroom.domain.shot_errors import ShotError

from local import package
from testing.functions import Functions, Response, request

FOLDER = package.ROOT / "functions" / "reader" / "page"
ASSETS = sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".html")


def page(functions: Functions, **headers: str) -> Response:
    return functions.call("reader", request("GET", "/cases/case-42", headers=headers))


def directives(response: Response) -> dict[str, list[str]]:
    parts = (part.split() for part in response.headers["content-security-policy"].split(";"))
    return {name: values for name, *values in parts}


def test_the_page_needs_no_token_and_is_the_same_for_every_case(functions: Functions) -> None:
    response = page(functions)
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "case-42" not in response.text
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_page_may_load_only_pictures_from_another_origin(functions: Functions) -> None:
    policy = directives(page(functions))
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["img-src"] == ["'self'", "data:", "https://pictures.s3.amazonaws.com"]
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]


def test_an_unchanged_page_is_a_304(functions: Functions) -> None:
    tag = page(functions).headers["etag"]
    again = page(functions, **{"if-none-match": tag})
    assert (again.status, again.text) == (304, "")
    assert page(functions, **{"if-none-match": '"another"'}).status == 200


@pytest.mark.parametrize("name", ASSETS)
def test_each_file_of_the_page_is_served_with_its_type(functions: Functions, name: str) -> None:
    response = functions.call("reader", request("GET", f"/assets/{name}"))
    kinds = {"css": "text/css; charset=utf-8", "js": "text/javascript"}
    assert (response.status, response.headers["content-type"]) == (200, kinds[name.rpartition(".")[2]])
    assert response.text == (FOLDER / name).read_text()


@pytest.mark.parametrize("name", ["viewer.html", "app.py", "..%2Fapp.py", "openapi.json", "none.js"])
def test_no_other_file_is_served(functions: Functions, name: str) -> None:
    response = functions.call("reader", request("GET", f"/assets/{name}"))
    assert (response.status, response.json["code"]) == (404, "route_not_found")


def test_the_page_weighs_less_than_60_kilobytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 60_000


def test_the_page_has_no_inline_script_or_style_and_inserts_no_markup() -> None:
    html = (FOLDER / "viewer.html").read_text()
    assert re.findall(r"<script[^>]*>", html) == ['<script type="module" src="../assets/viewer.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    scripts = "".join(path.read_text() for path in FOLDER.glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", scripts)


def test_the_page_names_no_host_but_the_svg_namespace() -> None:
    texts = "".join(path.read_text() for path in FOLDER.iterdir())
    assert set(re.findall(r"https?://[\w.-]+", texts)) == {"http://www.w3.org"}


def test_every_error_code_of_a_picture_has_a_text_on_the_page() -> None:
    words = (FOLDER / "words.js").read_text()
    described = set(re.findall(r"^  (\w+): \[\"", words, re.MULTILINE))
    assert {kind.code for kind in tree(ShotError)} - {"failed"} <= described
