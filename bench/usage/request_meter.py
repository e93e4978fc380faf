"""Count the requests of functions to AWS at the clients, and the sizes of everything that they make.

The meter listens to every client before a request and after its response, so it also counts requests whose
condition was refused. `calling` says which function makes the requests.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.item_size import item_size

from bench.usage.dynamodb_units import Item, index_units, read_units, write_units

READ, WRITE, INDEX = "read units", "write units", "index units"
"""DynamoDB's units. INDEX are write units too, for the index of due items."""
ENTRIES = "entries read"
"""Entries read from that index."""
LOG_BYTES, LOG_LINES, BYTES_OUT = "log bytes", "log lines", "bytes out"
INVOCATIONS, REQUESTS = "invocations", "API requests"
ITEM_KINDS = (
    "image-job",
    "image-request",
    "image-run",
    "callback",
    "counts",
    "counted",
    "caller",
    "quota",
    "budget",
)

_CALLER: ContextVar[str | None] = ContextVar("_CALLER", default=None)


@dataclass
class Meter:
    """The counts by function and operation, and the sizes in bytes by kind."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    changes: list[tuple[Item | None, Item]] = field(default_factory=list)
    """Changes of jobs, old and new, as in the table's stream."""
    invoked: list[tuple[str, bytes]] = field(default_factory=list)
    """Asynchronous invocations: the function and its payload."""
    _items: dict[str, Item] = field(default_factory=dict)

    @contextmanager
    def calling(self, function: str) -> Iterator[None]:
        """Count requests for this function while the block runs."""
        token = _CALLER.set(function)
        try:
            yield
        finally:
            _CALLER.reset(token)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to all clients while the block runs."""
        all_clients = (
            clients.dynamodb(),
            clients.s3(),
            clients.s3(attempts=3),  # the worker's
            clients.secretsmanager(),
            clients.lambda_(),
        )
        events: dict[str, Callable[..., None]] = {
            "provide-client-params": self._before,
            "after-call": self._after,
        }
        for client in all_clients:
            for name, handler in events.items():
                client.meta.events.register(name, handler, unique_id=f"meter-{name}")
        try:
            yield
        finally:
            for client in all_clients:
                for name in events:
                    client.meta.events.unregister(name, unique_id=f"meter-{name}")

    def add(self, name: str, number: float = 1) -> None:
        """Count something for the function that is running."""
        caller = _CALLER.get()
        if caller is not None:
            self.counts[caller, name] += number  # type: ignore[assignment]  # there are half units

    def size(self, kind: str, size: int) -> None:
        """Record a size of this kind."""
        self.sizes.setdefault(kind, []).append(size)

    def total(self, *names: str, function: str | None = None) -> float:
        """Return the sum of these counts, of one function or of all."""
        return sum(n for (f, name), n in self.counts.items() if name in names and function in (None, f))

    def largest(self, kind: str) -> int:
        """Return the largest size of this kind in bytes."""
        return max(self.sizes.get(kind, [0]))

    def stored(self) -> int:
        """Return the bytes of all items in the table, with the 100 that DynamoDB adds to each."""
        return sum(item_size(item) + 100 for item in self._items.values())

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["metered"] = params

    def _after(
        self, http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        if _CALLER.get() is None:
            return
        self.add(model.name)
        done, params = http_response.status_code < 300, context["metered"]
        match model.name:
            case "PutItem" | "UpdateItem":
                self._write(params, done=done, transaction=False)
            case "TransactWriteItems":
                for one in (write for item in params["TransactItems"] for write in item.values()):
                    self._write(one, done=done, transaction=True)
            case "Invoke":
                self.invoked.append((params["FunctionName"], params["Payload"]))
            case operation:
                self._count_read(operation, params, parsed)

    def _count_read(self, operation: str, params: dict[str, Any], parsed: dict[str, Any]) -> None:
        """Count the units of a read; other requests have none."""
        match operation:
            case "GetItem":
                self._read(parsed.get("Item"), consistent=params.get("ConsistentRead", False))
            case "TransactGetItems":
                for response in parsed.get("Responses", []):
                    self._read(response.get("Item"), transaction=True)
            case "BatchGetItem":
                self._read_batch(params, parsed)
            case "Query":
                found = parsed.get("Items", [])
                self.add(ENTRIES, len(found))
                self.add(READ, read_units(sum(map(item_size, found))))

    def _read(self, item: Item | None, *, consistent: bool = False, transaction: bool = False) -> None:
        size = item_size(item or {})
        if item:
            self._items.setdefault(item["pk"]["S"], item)
        self.add(READ, read_units(size, consistent=consistent, transaction=transaction))

    def _read_batch(self, params: dict[str, Any], parsed: dict[str, Any]) -> None:
        """Count the units of a batch; an item that does not exist costs as much as the smallest item."""
        for table, wanted in params["RequestItems"].items():
            found = parsed.get("Responses", {}).get(table, [])
            for item in (*found, *[None] * (len(wanted["Keys"]) - len(found))):
                self._read(item)

    def _write(self, params: dict[str, Any], *, done: bool, transaction: bool) -> None:
        key = (params.get("Key") or params["Item"])["pk"]["S"]
        old = self._items.get(key)
        new = self._stored(params["TableName"], key, params.get("Item")) if done else old
        self.add(WRITE, write_units(old, new, transaction=transaction))
        if not done:
            self.add("refused writes")
            return
        assert new is not None
        self.add(INDEX, index_units(old, new))
        self._items[key] = new
        self.size(_kind(key), item_size(new))
        if "requestDigest" in new:
            self.changes.append((old, new))

    def _stored(self, table: str, key: str, put: Item | None) -> Item | None:
        """Return the item after a write; after an update it is read from the table, without counting."""
        if put is not None:
            return put
        token = _CALLER.set(None)
        try:
            return clients.dynamodb().get_item(TableName=table, Key={"pk": {"S": key}}).get("Item")
        finally:
            _CALLER.reset(token)


def _kind(key: str) -> str:
    """Return the kind of the item with this key."""
    return next(f"item {kind}" for kind in ITEM_KINDS if kind in key.split(":"))
