"""The result of `sam build` runs on a Python that has only what the Lambda runtime includes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local import cloudformation, openapi, package, sam
from local.runtime import BUILD, BYTECODE, LAYERS, run
from tests.local.conftest import Imported

TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")
FUNCTIONS = sam.functions(TEMPLATE)
pytestmark = pytest.mark.usefixtures("built")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_built_function_imports_with_only_the_layers(
    function: str, layers: Path, imported: Callable[[str], Imported]
) -> None:
    task = BUILD / function
    found = [Path(imported(function).files[name] or "").parent for name in ("app", "darkroom")]
    assert found == [task, layers / "darkroom"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_library_is_compiled_at_a_cold_start(function: str, imported: Callable[[str], Imported]) -> None:
    assert imported(function).from_layers > 50
    assert imported(function).compiled_anew == []


def test_the_bytecode_layer_holds_bytecode_only_and_each_layer_of_libraries_its_source() -> None:
    compiled = BUILD / BYTECODE / "python"
    files = [path for path in compiled.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert path.name.endswith(".cpython-313.pyc")
        source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
        for layer in LAYERS.values():
            assert (BUILD / layer / "python" / source.relative_to(compiled)).exists()
        # Python uses it without comparing the source's time, which the layer changes (PEP 552).
        assert int.from_bytes(path.read_bytes()[4:8], "little") == 0b01


def test_a_built_function_does_not_import_without_the_layers() -> None:
    done = run("import app", BUILD / "ReaderFunction")
    assert "No module named 'darkroom'" in done.stderr or "aws_lambda_powertools" in done.stderr


def test_the_layers_are_small_enough_and_include_no_boto3() -> None:
    layers = {BUILD / name / "python": 40_000_000 for name in LAYERS.values()}
    for folder, most in {**layers, BUILD / BYTECODE / "python": 12_000_000}.items():
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < most
        assert not (folder / "boto3").exists()
        assert not (folder / "botocore").exists()


ELF_MACHINES = {"arm64": 183, "x86_64": 62}


@pytest.mark.parametrize("processor", LAYERS)
def test_the_layer_of_each_processor_has_libraries_for_that_processor(processor: str) -> None:
    libraries = [*(BUILD / LAYERS[processor]).rglob("*.so"), *(BUILD / LAYERS[processor]).rglob("*.so.*")]
    assert len(libraries) > 10
    machines = {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries}
    assert machines == {ELF_MACHINES[processor]}


def test_the_api_description_is_part_of_the_built_reader() -> None:
    built = BUILD / "ReaderFunction" / "openapi.json"
    assert built.read_text() == openapi.TARGET.read_text()


def test_each_build_makes_a_new_version_of_every_function_that_has_a_route() -> None:
    """The code is in the layer, where SAM does not look when it decides about publishing a version."""
    functions = {name: TEMPLATE["Resources"][name]["Properties"] for name in FUNCTIONS}
    aliased = {name for name, properties in functions.items() if "AutoPublishAlias" in properties}
    with_route = {
        name
        for name, properties in functions.items()
        if any(event["Type"] == "HttpApi" for event in properties.get("Events", {}).values())
    }
    assert aliased == with_route
    assert {path.parent.name for path in BUILD.glob("*/release")} == aliased
