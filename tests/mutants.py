"""`make mutants`: break the package in one small place at a time; a test must fail.

Each mutant is a copy of the package with one change, put before the real one on the path. A mutant
that no test notices is a line that nothing proves. `AREA=engine` tries one area, `EVERY=5` every fifth
mutant of it.
"""

import argparse
import ast
import copy
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layers/darkroom/src/darkroom"
HUNG_S = 240
"""Seconds after which the tests of a mutant count as hanging, which nobody overlooks."""


@dataclass(frozen=True)
class Area:
    """Files that the same tests prove."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "rules": Area(
        ("domain/*.py",),
        (
            "tests/domain",
            "tests/usecases",
            "tests/worker",
            "tests/wire",
            "tests/contract",
            "tests/simulation",
        ),
    ),
    "engine": Area(("worker/*.py",), ("tests/worker", "tests/functions/test_worker.py", "tests/simulation")),
    "requests": Area(("usecases/*.py",), ("tests/usecases", "tests/functions")),
    "edge": Area(
        ("api/*.py", "wire/*.py"),
        ("tests/domain", "tests/wire", "tests/functions", "tests/adapters", "tests/contract"),
    ),
    "adapters": Area(("adapters/**/*.py",), ("tests/adapters", "tests/contract", "tests/functions")),
    "start": Area(("*.py",), ("tests/functions", "tests/adapters", "tests/template")),
}
CONDITIONS = "adapters/dynamodb/*.py"
ALWAYS = "attribute_exists(pk) OR attribute_not_exists(pk)"
FLIPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}
SWAPPED = {"min": "max", "max": "min"}
UNPROVEN = re.compile(r"\b(LOGGER|logger)\b")
"""Calls that only write to the log."""


@dataclass(frozen=True)
class Mutant:
    """One changed file, and the tests that must notice."""

    path: str
    what: str
    source: str
    tests: tuple[str, ...]


def changed(node: ast.AST) -> ast.AST | None:
    """Return what `node` becomes in a mutant; None when nothing is changed about such a node."""
    result = copy.deepcopy(node)
    match result:
        case ast.Compare(ops=[op, *_]) if type(op) in FLIPPED:
            result.ops[0] = FLIPPED[type(op)]()  # type: ignore[call-overload]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in FLIPPED:
            result.op = FLIPPED[type(op)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            result.value = value + 1
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            result.func = ast.Name(SWAPPED[name])
        case ast.Raise() | ast.Expr(value=ast.Call() | ast.Await()):
            return None if UNPROVEN.search(ast.unparse(result)) else ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return ast.Pass()
        case _:
            return None
    return result


class _Replace(ast.NodeTransformer):
    """Replace the node with this place among all nodes of functions' bodies."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.seen = 0
        self.what = ""
        self._depth = 0

    def visit(self, node: ast.AST) -> ast.AST:
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if self._depth and not function and (new := changed(node)) is not None:
            self.seen += 1
            if self.seen == self.place:
                line = getattr(node, "lineno", 0)
                self.what = f"line {line}: {_short(node)} -> {_short(new)}"
                return ast.copy_location(new, node)
        self._depth += function
        result = self.generic_visit(node) if not function else self._body(node)
        self._depth -= function
        return result

    def _body(self, function: ast.AST) -> ast.AST:
        """Visit only the statements of a function: defaults and annotations are not logic."""
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        function.body = [self.visit(statement) for statement in function.body]  # type: ignore[misc]
        return function


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else text[:67] + "..."


def mutants_of(path: str, tests: tuple[str, ...]) -> Iterator[Mutant]:
    """Yield one mutant for each change that can be made to the functions of the file."""
    text = (PACKAGE / path).read_text()
    counter = _Replace(0)
    counter.visit(ast.parse(text))
    for place in range(1, counter.seen + 1):
        replace = _Replace(place)
        tree = replace.visit(ast.parse(text))
        yield Mutant(path, replace.what, ast.unparse(ast.fix_missing_locations(tree)), tests)


def removals() -> Iterator[Mutant]:
    """Yield one mutant for each named condition of a write: the constants whose name is in capitals."""
    for file in sorted(PACKAGE.glob(CONDITIONS)):
        path, text = str(file.relative_to(PACKAGE)), file.read_text()
        for name, condition in re.findall(
            r'^([A-Z][A-Z_]+) = "(.*(?:\(pk\)|[<=] :).*)"$', text, re.MULTILINE
        ):
            always = f"{ALWAYS} OR {condition}"  # DynamoDB wants every value of the condition to be used
            source = text.replace(f'{name} = "{condition}"', f'{name} = "{always}"')
            yield Mutant(path, f"{name} removed", source, ("tests/contract",))


def is_caught(mutant: Mutant) -> bool:
    """Return True if a test fails on it."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        shutil.copytree(PACKAGE, Path(folder) / "darkroom", ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "darkroom" / mutant.path).write_text(mutant.source)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests],
                cwd=ROOT,
                env={"PYTHONPATH": folder, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=HUNG_S,
            )
        except subprocess.TimeoutExpired:
            return True
    if done.returncode not in (0, 1, 2, 3, 4):
        raise RuntimeError(done.stdout + done.stderr)
    return done.returncode != 0


def check_areas() -> None:
    """Raise unless each module lies in one area and all tests exist: pytest fails on a path that does not."""
    found = [path for area in AREAS.values() for pattern in area.files for path in PACKAGE.glob(pattern)]
    if sorted(found) != sorted(PACKAGE.rglob("*.py")):
        raise RuntimeError("a module lies in no area, or in two")
    if missing := [test for area in AREAS.values() for test in area.tests if not (ROOT / test).exists()]:
        raise RuntimeError(f"tests that do not exist: {missing}")


def all_mutants(areas: Sequence[str], every: int) -> list[Mutant]:
    """Return the mutants of the areas, every nth of those that change functions."""
    found = list(removals()) if "rules" in areas else []
    for name in areas:
        area = AREAS[name]
        paths = sorted({path for pattern in area.files for path in PACKAGE.glob(pattern)})
        made = [m for path in paths for m in mutants_of(str(path.relative_to(PACKAGE)), area.tests)]
        found += made[::every]
    return found


def main() -> int:
    """Return 1 when one was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--area", choices=AREAS, action="append", help="an area; all without it")
    parser.add_argument("--every", type=int, default=1, help="try only every nth mutant")
    arguments = parser.parse_args()
    check_areas()
    mutants = all_mutants(arguments.area or list(AREAS), arguments.every)
    survived = 0
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(is_caught, mutants)
        for number, (mutant, was_caught) in enumerate(zip(mutants, found, strict=True), 1):
            survived += not was_caught
            if not was_caught or number % 10 == 0:
                outcome = "caught" if was_caught else "survived"
                print(f"{number} of {len(mutants)}: {outcome}: {mutant.path} {mutant.what}", flush=True)
    print(f"mutants: {len(mutants)} tried, {len(mutants) - survived} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
