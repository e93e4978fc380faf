"""`make cold`: measure the cold start of each function that `sam build` made, in a new process.

It measures CPU time and memory until the handler can be called: the interpreter, the imports, the clients.
Rounds are interleaved, and the smallest value of each is taken. Ratios compare with a process that imports
boto3 and makes one client. As on Lambda, nothing is compiled; `uncompiled` shows what that saves.
"""

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local import cloudformation, package
from local.imports import HEAVY, found_by
from local.runtime import BUILD, BYTECODE, LAYER, run, unpack_layers

ROUNDS = 7
HTTP_TARGET, WORKER_TARGET = 1.3, 2.0
LAYER_TARGET_MB = 40.0

BOTO3 = 'import boto3; client = boto3.Session().client("dynamodb")'
PYDANTIC = f"{BOTO3}\nimport pydantic\nclass Model(pydantic.BaseModel):\n    field: int"
ROUTER = f"{PYDANTIC}\nfrom aws_lambda_powertools.event_handler import APIGatewayHttpResolver"
_MEASURE = """
import json, resource
spent = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps([spent.ru_utime + spent.ru_stime, int(peak) / 1024, len(sys.modules)]))
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A process to start, and the target of its ratio."""

    name: str
    code: str
    folders: tuple[Path, ...] = ()
    target: float | None = None


def measure(start: Start) -> tuple[float, float, int]:
    """Start the process once; return its CPU seconds, peak memory in MB, and number of modules."""
    done = run(start.code + _MEASURE, *start.folders)
    if done.returncode != 0:
        raise RuntimeError(f"{start.name} does not start:\n{done.stderr[-2000:]}")
    cpu, peak, modules = json.loads(done.stdout.splitlines()[-1])
    return cpu, peak, modules


def starts(layers: Path) -> list[Start]:
    """Return the processes to compare with, then every function of the template."""
    template = cloudformation.load(package.ROOT / "template.yaml")["Resources"]
    made = [
        Start(name="bare Python", code=""),
        Start(name="boto3, one client", code=BOTO3),
        Start(name="... and pydantic", code=PYDANTIC, folders=(layers,)),
        Start(name="... and the router", code=ROUTER, folders=(layers,)),
    ]
    for logical_id, resource in template.items():
        if resource["Type"] == "AWS::Serverless::Function":
            events = resource["Properties"].get("Events", {}).values()
            http = logical_id == "AuthorizerFunction" or any(e["Type"] == "HttpApi" for e in events)
            worker = logical_id == "WorkerFunction"
            target = HTTP_TARGET if http else WORKER_TARGET if worker else None
            name = logical_id.removesuffix("Function").lower()
            made.append(
                Start(name=name, code="import app", folders=(BUILD / logical_id, layers), target=target)
            )
    uncompiled = BUILD / LAYER / "python"
    folders = (BUILD / "InitiatorFunction", uncompiled)
    return [*made, Start(name="initiator, uncompiled", code="import app", folders=folders)]


def megabytes(folder: Path) -> float:
    """Return the size of all files in a folder in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        layers = unpack_layers(Path(folder))
        every = starts(layers)
        seen: dict[str, list[tuple[float, float, int]]] = {start.name: [] for start in every}
        for _ in range(ROUNDS):
            for start in every:
                seen[start.name].append(measure(start))
        base = min(cpu for cpu, _, _ in seen["boto3, one client"])
        print(
            f"{'':22} {'CPU ms':>6} {'median':>6} {'ratio':>5} {'target':>6} {'MB':>4} {'modules':>7}"
            "  slow libraries that it imports"
        )
        for start in every:
            cpus = [cpu for cpu, _, _ in seen[start.name]]
            ratio = min(cpus) / base
            target = (
                "" if start.target is None else f"{start.target:.1f}{' ' if ratio <= start.target else '!'}"
            )
            _, peak, modules = seen[start.name][0]
            heavy = " ".join(sorted(found_by(start.code, *start.folders) & HEAVY))
            print(
                f"{start.name:22} {1000 * min(cpus):6.0f} {1000 * statistics.median(cpus):6.0f} {ratio:5.2f}"
                f" {target:>6} {peak:4.0f} {modules:7}  {heavy}"
            )
    print(f"\n{'layer, unzipped':22} {'MB':>6} {'target':>6}")
    for layer, limit in ((LAYER, f"{LAYER_TARGET_MB:.0f}"), (BYTECODE, "")):
        print(f"{layer:22} {megabytes(BUILD / layer):6.1f} {limit:>6}")
    largest = sorted(
        ((megabytes(path), path.name) for path in (BUILD / LAYER / "python").iterdir()),
        reverse=True,
    )
    print("of it: " + ", ".join(f"{name} {size:.1f}" for size, name in largest[:5]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
