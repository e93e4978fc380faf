"""Table and bucket are private and kept, and names that regions share do not collide."""

import pytest

from testing.template import RESOURCES, TEMPLATE


def test_the_bucket_is_private() -> None:
    assert all(RESOURCES["ImageBucket"]["Properties"]["PublicAccessBlockConfiguration"].values())


def test_table_and_bucket_are_kept_unless_the_first_deployment_fails() -> None:
    kept = {name: r["DeletionPolicy"] for name, r in RESOURCES.items() if "DeletionPolicy" in r}
    assert kept == dict.fromkeys(("JobsTable", "ImageBucket"), "RetainExceptOnCreate")
    assert all(RESOURCES[name]["UpdateReplacePolicy"] == "Retain" for name in kept)


def test_a_cdn_exists_only_if_the_operator_chose_it() -> None:
    cdn = {name: r for name, r in RESOURCES.items() if r["Type"].startswith("AWS::CloudFront::")}
    assert cdn
    assert {r["Condition"] for r in cdn.values()} == {"MakesStatusCdn"}


NAMES = {
    "AWS::CloudFront::OriginAccessControl": ("OriginAccessControlConfig", "Name"),
    "AWS::CloudFront::CachePolicy": ("CachePolicyConfig", "Name"),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
}
"""Type → the place of a resource's name: these names are unique in an account, not in a region."""


@pytest.mark.parametrize("name", [name for name, r in RESOURCES.items() if r["Type"] in NAMES])
def test_a_name_that_must_be_unique_across_regions_contains_the_region(name: str) -> None:
    found = RESOURCES[name]["Properties"]
    for part in NAMES[RESOURCES[name]["Type"]]:
        found = found[part]
    assert found == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}


def test_the_output_links_to_the_dashboard_by_its_name() -> None:
    assert "name=${AWS::StackName}-${AWS::Region}" in TEMPLATE["Outputs"]["DashboardUrl"]["Value"]["Fn::Sub"]
