"""The doctor's view of a stack."""

import boto3
import httpx
from botocore.stub import Stubber

from ops.deployment import Deployment


def test_all_resources_of_a_stack_are_read_when_they_do_not_fit_on_one_page() -> None:
    client = boto3.client("cloudformation", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    resources = [
        {
            "LogicalResourceId": f"Resource{number}",
            "PhysicalResourceId": f"physical-{number}",
            "ResourceType": "AWS::Lambda::Function",
            "LastUpdatedTimestamp": 0,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for number in range(150)
    ]
    pages = [resources[:100], resources[100:]]
    with Stubber(client) as stubber, httpx.Client() as http:
        stubber.add_response(
            "list_stack_resources",
            {"StackResourceSummaries": pages[0], "NextToken": "more"},
            {"StackName": "darkroom"},
        )
        stubber.add_response(
            "list_stack_resources",
            {"StackResourceSummaries": pages[1]},
            {"StackName": "darkroom", "NextToken": "more"},
        )
        found = Deployment("darkroom", lambda _: client, http)
        assert len(found.of_type("AWS::Lambda::Function")) == 150
