"""Find the container engine, the image of the Lambda runtime, and this machine's address for containers.

As a program, it prints which engine runs. The exit code is 1 when none does.
"""

import ipaddress
import os
import shutil
import subprocess
import sys

from local import cloudformation, package

BUILD = package.ROOT / ".local" / "build"
ENGINES = ("docker", "finch")
"""The engines that sam supports."""
PULL_S = 900
"""Seconds within which the image of the runtime must be pulled, the first time."""


class Missing(Exception):
    """An error: something is missing on this machine. The message says what, and what to do."""


def find_engine() -> str:
    """Return the command of a container engine that runs; raise Missing."""
    installed = [name for name in ENGINES if shutil.which(name)]
    if not installed:
        raise Missing(f"no container engine is installed ({' or '.join(ENGINES)}): install one and start it")
    results = {name: _run([name, "ps", "-q"], seconds=20) for name in installed}
    for name, result in results.items():
        if result.returncode == 0:
            return name
    raise Missing("; ".join(f"{name} does not run: {_last_line(results[name])}" for name in installed))


def image() -> str:
    """Return the image of the runtime in which sam starts the functions of the build."""
    template = cloudformation.load(BUILD / "template.yaml")
    runtime = template["Globals"]["Function"]["Runtime"].removeprefix("python")
    return f"public.ecr.aws/lambda/python:{runtime}-{architecture()}"


def architecture() -> str:
    """Return the architecture of this machine's processor, by Lambda's name."""
    return "x86_64" if os.uname().machine == "x86_64" else "arm64"


def address_for_containers(engine: str) -> str:
    """Return the IP address at which containers reach this machine, from the engine; raise Missing."""
    if given := os.environ.get("SAM_LOCAL_HOST"):
        if not _is_address(given):
            raise Missing(f"SAM_LOCAL_HOST must be an IPv4 address other than loopback, not {given!r}")
        return given
    name = "host.docker.internal"
    program = f"import socket; print(socket.gethostbyname('{name}'))"
    return _in_container(engine, program, f"--add-host={name}:host-gateway")


def _is_address(text: str) -> bool:
    """Return True if `text` is an address. A host name does not work: S3 clients put the bucket before it."""
    try:
        return not ipaddress.IPv4Address(text).is_loopback
    except ValueError:
        return False


def check_reachable(engine: str, address: str, port: int) -> None:
    """Raise Missing unless a container reaches `port`."""
    program = f"import socket; socket.create_connection(('{address}', {port}), 5)"
    try:
        _in_container(engine, program)
    except Missing as missing:
        raise Missing(
            f"containers cannot reach this machine at {address} (perhaps a firewall);"
            " set SAM_LOCAL_HOST=<address> to use another address"
        ) from missing


def _in_container(engine: str, python: str, *options: str) -> str:
    """Return what the program `python` prints in the image of the runtime. Pulls the image if necessary."""
    command = [engine, "run", "--rm", *options, "--entrypoint", "python3", image(), "-c", python]
    result = _run(command, seconds=PULL_S)
    if result.returncode != 0:
        raise Missing(f"{engine} cannot run {image()}: {_last_line(result)}")
    return result.stdout.strip()


def _run(command: list[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"`{' '.join(command[:2])}` did not end within {seconds:.0f} s") from error


def _last_line(result: subprocess.CompletedProcess[str]) -> str:
    return (result.stderr.strip().splitlines() or ["it printed no error"])[-1]


def main() -> int:
    """Return 0 when an engine runs."""
    try:
        print(f"{find_engine()} runs")
    except Missing as missing:
        print(missing)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
