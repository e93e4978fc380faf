"""The committed OpenAPI description is the one generated from the handlers."""

import json
import re

from local import openapi
from local.api_docs import reference
from testing.functions import Functions


def test_the_description_is_up_to_date(functions: Functions) -> None:
    apps = [functions.load(name).app for name in openapi.HANDLERS]
    assert openapi.TARGET.read_text() == openapi.describe(apps), "run `make openapi`"


def test_the_api_reference_is_up_to_date_and_its_links_work() -> None:
    text = openapi.REFERENCE.read_text()
    described = json.loads(openapi.TARGET.read_text())
    assert text == reference(described), "run `make openapi`"
    headings = {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith(("## ", "### "))}
    assert set(re.findall(r"\(#([a-z]+)\)", text)) <= headings
    assert {f"`{m} {path}`".lower() for path, ms in described["paths"].items() for m in ms} <= headings
