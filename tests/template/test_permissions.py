"""Permissions are narrow. tests/functions/test_least_privilege.py compares them with what functions call."""

import pytest
from darkroom.adapters.dynamodb import daily_limit, quota
from darkroom.adapters.signing import image_links

from testing.template import (
    FUNCTIONS,
    RESOURCES,
    as_list,
    granted,
    item_condition,
    name_of,
    statements_of,
)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_permission_has_a_wildcard_action_or_covers_every_resource(function: str) -> None:
    for action, resource in granted(function):
        assert "*" not in action
        assert resource != "*"


def test_the_worker_may_write_the_quota_and_the_budgets_but_no_job() -> None:
    [statement] = [s for s in statements_of("worker") if "dynamodb:PutItem" in as_list(s["Action"])]
    assert statement["Condition"] == item_condition(quota.QUOTA_PREFIX, quota.BUDGET_PREFIX)


def test_the_initiator_may_update_only_the_daily_limits_of_callers() -> None:
    [statement] = [s for s in statements_of("initiator") if s["Action"] == "dynamodb:UpdateItem"]
    assert statement["Condition"] == item_condition(daily_limit.PREFIX)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_list_only_the_part_of_the_bucket_with_pictures(function: str) -> None:
    for statement in statements_of(function):
        if "s3:ListBucket" in as_list(statement["Action"]):
            assert statement["Condition"] == {"StringLike": {"s3:prefix": "cases/*"}}


def test_the_worker_may_decrypt_only_through_secrets_manager_and_with_the_given_key() -> None:
    [statement] = [s for s in statements_of("worker") if s["Action"] == "kms:Decrypt"]
    assert statement["Resource"] == {"Ref": "SecretKmsKeyArn"}
    via = {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
    assert statement["Condition"] == {"StringEquals": via}


def test_the_bucket_refuses_requests_without_tls() -> None:
    [rule, _] = RESOURCES["ImageBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (rule["Effect"], rule["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_cdn_may_read_status_documents_and_nothing_else() -> None:
    [_, rule] = RESOURCES["ImageBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    condition, statement, otherwise = rule["Fn::If"]
    assert (condition, otherwise) == ("MakesStatusCdn", {"Ref": "AWS::NoValue"})
    assert (statement["Action"], name_of(statement["Resource"])) == (
        "s3:GetObject",
        f"${{ImageBucket.Arn}}/{image_links.STATUS_PREFIX}*",
    )
    assert name_of(statement["Condition"]["StringEquals"]["aws:SourceArn"]).endswith("/${StatusCdn}")
