"""The form of a handler: it parses the event, calls one use case, and responds."""

import ast

import pytest

from local import package

MAX_STATEMENTS = 14
"""Statements of one function in an app.py, those of nested functions and branches included."""


def source_of(function: str) -> str:
    return (package.ROOT / "functions" / function / "app.py").read_text()


def functions_in(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def use_cases_in(tree: ast.Module) -> set[str]:
    """Return the names of the module's variables whose value is an instance of a use case."""
    classes = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("darkroom.usecases.", "darkroom.worker."))
        for alias in node.names
    }
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and called_name(node.value) in classes
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def called_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return None


@pytest.mark.parametrize("function", package.functions())
def test_each_function_of_a_handler_has_few_statements(function: str) -> None:
    counts = {
        found.name: sum(isinstance(node, ast.stmt) for node in ast.walk(found)) - 1
        for found in functions_in(ast.parse(source_of(function)))
    }
    assert {name: count for name, count in counts.items() if count > MAX_STATEMENTS} == {}


@pytest.mark.parametrize("function", package.functions())
def test_each_function_of_a_handler_calls_at_most_one_use_case(function: str) -> None:
    tree = ast.parse(source_of(function))
    use_cases = use_cases_in(tree)
    for found in functions_in(tree):
        called = [name for node in ast.walk(found) if (name := called_name(node)) in use_cases]
        assert len(called) <= 1, f"{found.name} calls {called}"


@pytest.mark.parametrize("function", package.functions())
def test_a_handler_has_no_assignment_expressions(function: str) -> None:
    nodes = ast.walk(ast.parse(source_of(function)))
    assert [node.lineno for node in nodes if isinstance(node, ast.NamedExpr)] == []


@pytest.mark.parametrize("function", package.functions())
def test_a_handler_takes_the_clock_and_the_source_of_ids_from_darkroom_clock(function: str) -> None:
    source = source_of(function)
    assert not [name for name in ("time.time", "datetime", "uuid", "secrets.token") if name in source]


def test_the_use_cases_of_a_handler_are_found() -> None:
    found = {function: use_cases_in(ast.parse(source_of(function))) for function in package.functions()}
    assert found["sweeper"] == {"SWEEP", "REDELIVER"}
    assert found["initiator"] >= {"SUBMIT", "RETRY", "CANCEL"}
