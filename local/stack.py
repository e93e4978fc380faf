"""Run the whole stack on loopback: the emulator with the real template, a fake Gemini and a fake CDN.

It differs from AWS by the rewrites in `localize.py` and the parameters in `_deploy`.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from local import cdn, cloudformation, fake_gemini, package
from local.localize import LAYER, Local, localize

TEMPLATE = package.ROOT / "template.yaml"
EMULATOR = package.ROOT / ".tools" / "emulator" / "bin" / "ministack"
REGION = "us-east-1"
STACK = "darkroom"
CODE_BUCKET = "darkroom-code"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""Made-up credentials, sent to the emulator only."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The image provider: the real Gemini or a fake."""

    url: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Addresses and names of a running stack. `make local` writes it to `.local/stack.json`."""

    api_url: str
    emulator_url: str
    provider_url: str | None
    table: str
    bucket: str
    sweeper: str
    worker: str
    webhook_secret: str = field(repr=False)
    token: str = field(repr=False)
    """Token of a caller with every scope."""
    pids: dict[str, int]
    receiver_url: str | None = None
    """Address of a receiver of callbacks; None if none runs."""

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulator."""
        return _client(service, self.emulator_url)

    def to_json(self) -> str:
        """Return it as JSON with names in camelCase, for other programs."""
        names = {key: _camel(key) for key in asdict(self)}
        return json.dumps({names[k]: v for k, v in asdict(self).items()}, indent=2) + "\n"


@contextmanager
def running(
    *,
    parameters: Mapping[str, str] | None = None,
    fake_config: fake_gemini.Config | None = None,
    provider: Provider | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start everything; stop it when the block ends, however it ends.

    Without a `provider`, a fake Gemini is started with `fake_config`. `parameters` are those of the
    template. The emulator's output, with every function's log, goes to `log`. `environment` is added to
    the environment of the emulator, and so of every function.
    """
    with ExitStack() as stack:
        provider_url = None
        if provider is None:
            server = stack.enter_context(serving(fake_gemini.Server(fake_config or fake_gemini.Config())))
            provider_url = server.url
            provider = Provider(url=provider_url, key="provider")
        documents = stack.enter_context(serving(cdn.Server()))
        emulator_url, process = stack.enter_context(_emulator(log, environment or {}))
        given = {"StatusUrl": documents.url, **(parameters or {})}
        found = _deploy(emulator_url, process, provider, provider_url, given)
        documents.serve_documents(found.client("s3"), found.bucket)
        yield found


@contextmanager
def serving[S: ThreadingHTTPServer](server: S) -> Iterator[S]:
    """Run `server` in a thread while the block runs."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _emulator(log: Path | None, more: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="darkroom-"))
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "DOCKER_HOST": "unix:///nonexistent.sock",  # else it looks for a container engine
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(folder),
        "PYTHONWARNINGS": "ignore",
        **more,
    }
    log = log or folder / "emulator.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        # A session of its own keeps Ctrl-C from it: `_stop` ends it together with all its workers.
        process = subprocess.Popen(
            [EMULATOR], env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await_health(url, process, log)
        yield url, process
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the emulator ended:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    raise RuntimeError(f"the emulator was not ready within 30 s:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _deploy(
    emulator_url: str,
    process: subprocess.Popen[bytes],
    provider: Provider,
    provider_url: str | None,
    parameters: Mapping[str, str],
) -> Stack:
    template = cloudformation.load(TEMPLATE)
    local = Local(
        code_bucket=CODE_BUCKET,
        code_keys=_upload(template, _client("s3", emulator_url)),
        api_id=secrets.token_hex(4),
    )
    # The stage $default, with its $ encoded, because a shell would expand it.
    api_url = f"{emulator_url}/_aws/execute-api/{local.api_id}/%24default"
    given = {
        "GeminiApiKey": provider.key,
        "GeminiUrl": provider.url,
        "PublicUrl": api_url,
        **parameters,
    }
    # Through S3, as `sam deploy` does: a template in the request itself may have at most 51,200 bytes.
    body = json.dumps(localize(template, local)).encode()
    _client("s3", emulator_url).put_object(Bucket=CODE_BUCKET, Key=TEMPLATE.name, Body=body)
    formation = _client("cloudformation", emulator_url)
    formation.create_stack(
        StackName=STACK,
        TemplateURL=f"{emulator_url}/{CODE_BUCKET}/{TEMPLATE.name}",
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    outputs = _outputs(formation)

    def secret(logical_id: str) -> str:
        found = formation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        return str(_client("secretsmanager", emulator_url).get_secret_value(SecretId=name)["SecretString"])

    return Stack(
        api_url=api_url,
        emulator_url=emulator_url,
        provider_url=provider_url,
        table=outputs["TableName"],
        bucket=outputs["BucketName"],
        sweeper=outputs["SweeperName"],
        worker=outputs["WorkerName"],
        webhook_secret=secret("WebhookSecret"),
        token=json.loads(secret("ApiTokens"))["token"],
        pids={"emulator": process.pid, "stack": os.getpid()},
    )


def _upload(template: dict[str, Any], s3: Any) -> dict[str, str]:
    s3.create_bucket(Bucket=CODE_BUCKET)
    keys = {}
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            keys[logical_id] = f"{logical_id}.zip"
            body = package.function_zip(Path(properties["CodeUri"]).name)
            s3.put_object(Bucket=CODE_BUCKET, Key=keys[logical_id], Body=body)
    keys[LAYER] = f"{LAYER}.zip"
    s3.put_object(Bucket=CODE_BUCKET, Key=keys[LAYER], Body=package.layer_zip())
    return keys


def _outputs(formation: Any) -> dict[str, str]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        if stack["StackStatus"] != "CREATE_IN_PROGRESS":
            events = formation.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [e.get("ResourceStatusReason") for e in events if "FAILED" in e["ResourceStatus"]]
            raise RuntimeError(f"the template was not deployed: {reasons or stack}")
        time.sleep(0.1)
    raise RuntimeError("the template was not deployed within 60 s")


def _client(service: str, url: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=BotoConfig(retries={"max_attempts": 2}, proxies={}),
    )


def free_port() -> int:
    """Return a port of loopback that nobody listens on, and that the system gives to nobody for a minute.

    A connection that the server's side closes first leaves the port waiting (TIME_WAIT). A program that
    asks for any port does not get it then; one that asks for this port does, as servers set SO_REUSEADDR.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
        return port


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    sys.exit("start it with `make local`")
