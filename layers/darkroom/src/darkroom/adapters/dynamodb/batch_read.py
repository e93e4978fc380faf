"""Many items of the table in few requests."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import batched
from typing import TYPE_CHECKING, Any

from darkroom.domain.errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AT_ONCE = 100
"""Items that one request can name."""

TRIES = 5
FIRST_WAIT_S = 0.05
"""Before the second try; each further wait is twice as long."""


def read_items(
    client: "DynamoDBClient", table: str, keys: Iterable[str], sleep: Callable[[float], None]
) -> Iterator[Mapping[str, Any]]:
    """Return the items there are at `keys`, in any order; raises Busy when the table has no room for all.

    What the table had no room for is asked for again, after a wait.
    """
    for some in batched(keys, AT_ONCE, strict=False):
        wanted: Any = {table: {"Keys": [{"pk": {"S": key}} for key in some]}}
        for tried in range(TRIES):
            if tried:
                sleep(FIRST_WAIT_S * 2 ** (tried - 1))
            answer = client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(table, [])
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                break
        else:
            raise Busy("the table is busy; send the request again")
