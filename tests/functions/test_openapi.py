"""The committed description is the one the handlers give."""

from local import openapi
from tests.functions.conftest import Functions


def test_the_description_is_up_to_date(functions: Functions) -> None:
    apps = [functions.load(name).app for name in openapi.HANDLERS]
    assert openapi.TARGET.read_text() == openapi.describe(apps), "run `make openapi`"
