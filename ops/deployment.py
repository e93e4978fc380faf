"""Read a deployed stack from outside: its outputs, resources and secrets."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import httpx
from darkroom.adapters.secrets import decode_secret


class Deployment:
    """One deployed stack; `client` makes the boto3 client of a service."""

    def __init__(self, name: str, client: Callable[..., Any], http: httpx.Client) -> None:
        self.name = name
        self.client = client
        self.http = http

    @cached_property
    def _stack(self) -> dict[str, Any]:
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return dict(stack)

    @property
    def outputs(self) -> dict[str, str]:
        """Return the outputs: name → value."""
        return {output["OutputKey"]: output["OutputValue"] for output in self._stack["Outputs"]}

    @property
    def parameters(self) -> dict[str, str]:
        """Return the parameters: name → value."""
        found = self._stack.get("Parameters", [])
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in found}

    @cached_property
    def resources(self) -> dict[str, tuple[str, str]]:
        """Return the resources: logical id → type and physical id."""
        found = self.all_pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=self.name
        )
        return {r["LogicalResourceId"]: (r["ResourceType"], r.get("PhysicalResourceId", "")) for r in found}

    def all_pages(self, service: str, operation: str, field: str, **given: Any) -> Iterator[dict[str, Any]]:
        """Yield each item of `field` on every page that the operation returns."""
        for page in self.client(service).get_paginator(operation).paginate(**given):
            yield from page[field]

    def of_type(self, kind: str) -> dict[str, str]:
        """Return logical id → physical id of the resources of one type."""
        return {name: physical for name, (found, physical) in self.resources.items() if found == kind}

    def secret(self, logical_id: str) -> str:
        """Return one of the stack's secrets; raise ClientError, or ValueError when it is not text."""
        _, physical = self.resources[logical_id]
        return self.secret_of(physical)

    def secret_of(self, name: str) -> str:
        """Return the secret with this name or ARN, as the functions read it."""
        found = self.client("secretsmanager").get_secret_value(SecretId=name)
        return decode_secret(found["SecretString"] if "SecretString" in found else found["SecretBinary"])

    @cached_property
    def worker(self) -> dict[str, str]:
        """Return the worker's environment variables."""
        found = self.client("lambda").get_function_configuration(FunctionName=self.outputs["WorkerName"])
        return dict(found["Environment"]["Variables"])
