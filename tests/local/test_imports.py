"""Each built function imports only the slow libraries that it uses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local import package
from local.imports import HEAVY, found_by
from tests.local.conftest import Imported

ROUTER = {"asyncio", "aws_lambda_powertools.event_handler"}
ALLOWED = {
    "authorizer": {"jwt"},
    "initiator": {"jwt", "pydantic", *ROUTER},
    "webhook": {"pydantic", *ROUTER},
    "reader": {"pydantic", *ROUTER},
    "callbacks": {"pydantic", *ROUTER},
    "worker": {"PIL", "anyio", "asyncio", "httpx", "pydantic"},
    "recovery": {"asyncio", "pydantic"},
    "sweeper": {"asyncio", "pydantic"},
    "observer": {"asyncio", "pydantic"},
    "deliverer": {"anyio", "asyncio", "httpx", "pydantic"},
}


@pytest.mark.parametrize("function", ALLOWED)
def test_no_function_imports_a_heavy_library_that_it_does_not_use(
    function: str, imported: Callable[[str], Imported]
) -> None:
    found = imported(f"{function.capitalize()}Function").files.keys() & HEAVY
    assert found - ALLOWED[function] == set(), "it costs every cold start; leave it off, or allow it here"
    assert found >= ALLOWED[function] - {"asyncio"}, "it does not import this any more"


def test_every_function_has_a_list_of_allowed_libraries() -> None:
    assert set(package.functions()) == ALLOWED.keys()


def test_an_imported_heavy_library_is_found(layers: Path) -> None:
    assert "httpx" in found_by("import httpx", layers) & HEAVY


def test_the_layer_has_colour_conversion_and_the_worker_does_not_import_it_at_start(
    layers: Path, imported: Callable[[str], Imported]
) -> None:
    convert = "from PIL import ImageCms; ImageCms.createProfile('sRGB')"
    assert "PIL._imagingcms" in found_by(convert, layers)
    assert "PIL.ImageCms" not in imported("WorkerFunction").files
