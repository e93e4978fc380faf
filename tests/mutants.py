"""`make mutants`: remove each named condition and flip each comparison of the state rules; a test must fail.

Each mutant is a copy of the package with one change, put before the real one on the path. A mutant
that no test notices is a rule that nothing proves.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "layers/darkroom/src/darkroom"
RULES = (
    "domain/job.py",
    "domain/progress.py",
    "domain/requests.py",
    "domain/sweeping.py",
    "domain/adoption.py",
    "domain/quota.py",
    "domain/access.py",
    "domain/tally.py",
)
CONDITIONS = tuple(f"adapters/dynamodb_{name}.py" for name in ("jobs", "quota", "allowance", "counters"))
HUNG_S = 240
"""A mutant whose tests run so long hangs, which nobody overlooks."""
ALWAYS = "attribute_exists(pk) OR attribute_not_exists(pk)"
TESTS = (
    "tests/unit",
    "tests/contract/test_job_store.py",
    "tests/contract/test_quota_store.py",
    "tests/contract/test_case_allowance.py",
    "tests/contract/test_counter_store.py",
    "tests/simulation",
)
FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
}


@dataclass(frozen=True)
class Mutant:
    """One changed file."""

    path: str
    what: str
    source: str


def flips(path: str) -> Iterator[Mutant]:
    """One mutant for each comparison in the file."""
    text = (PACKAGE / path).read_text()
    count = sum(isinstance(node, ast.Compare) for node in ast.walk(ast.parse(text)))
    for index in range(count):
        tree = ast.parse(text)
        compare = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)][index]
        before = ast.unparse(compare)
        compare.ops[0] = FLIPPED[type(compare.ops[0])]()
        yield Mutant(path, f"line {compare.lineno}: {before} -> {ast.unparse(compare)}", ast.unparse(tree))


def removals() -> Iterator[Mutant]:
    """One mutant for each named condition of a write: the constants whose name is in capitals."""
    for path in CONDITIONS:
        text = (PACKAGE / path).read_text()
        for name, condition in re.findall(
            r'^([A-Z][A-Z_]+) = "(.*(?:\(pk\)|[<=] :).*)"$', text, re.MULTILINE
        ):
            always = f"{ALWAYS} OR {condition}"  # DynamoDB wants every value of the condition to be used
            source = text.replace(f'{name} = "{condition}"', f'{name} = "{always}"')
            yield Mutant(path, f"{name} removed", source)


def is_caught(mutant: Mutant) -> bool:
    """Whether a test fails on it."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        shutil.copytree(PACKAGE, Path(folder) / "darkroom", ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "darkroom" / mutant.path).write_text(mutant.source)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS],
                cwd=ROOT,
                env={"PYTHONPATH": folder, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=HUNG_S,
            )
        except subprocess.TimeoutExpired:
            return True
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(done.stdout + done.stderr)
    return done.returncode != 0


def main() -> int:
    """Exit code 1 when one was not caught."""
    mutants = [*removals(), *(mutant for path in RULES for mutant in flips(path))]
    survived = 0
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(is_caught, mutants)
        for number, (mutant, was_caught) in enumerate(zip(mutants, found, strict=True), 1):
            survived += not was_caught
            if not was_caught or number % 10 == 0:
                told = "caught" if was_caught else "survived"
                print(f"{number} of {len(mutants)}: {told}: {mutant.path} {mutant.what}", flush=True)
    print(f"mutants: {len(mutants)} tried, {len(mutants) - survived} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
