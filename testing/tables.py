"""The table of the template, for tests and benches that run on moto or on a local emulator."""

from typing import Any

from local import cloudformation, package

TABLE = "jobs"


def create_table(client: Any, name: str = TABLE) -> None:
    template = cloudformation.load(package.ROOT / "template.yaml")
    properties = template["Resources"]["JobsTable"]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=name, **{key: properties[key] for key in wanted})
