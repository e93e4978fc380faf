"""Distinguish temporary errors of AWS from permanent ones."""

from http import HTTPStatus

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError


def is_temporary(error: BaseException) -> bool:
    """Return True if AWS throttled the request, failed or could not be reached: it may succeed later."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, HTTPClientError | BotoConnectionError):
            return True
        if isinstance(each, ClientError):
            status = each.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = each.response.get("Error", {}).get("Code", "")
            return (
                status >= HTTPStatus.INTERNAL_SERVER_ERROR
                or status == HTTPStatus.TOO_MANY_REQUESTS
                or ("Throttl" in code)
            )
    return False
