"""The client of Darkroom: submit a case, watch it, fetch its pictures."""

from darkroom_client.client import AsyncClient, Client
from darkroom_client.errors import (
    Conflict,
    DarkroomError,
    Forbidden,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServerError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from darkroom_client.files import BadFile, read_case
from darkroom_client.models import Case, Failure, Item, Job, Metrics, Status, Timeline
from darkroom_client.protocol import Policy

__all__ = [
    "AsyncClient",
    "BadFile",
    "Case",
    "Client",
    "Conflict",
    "DarkroomError",
    "Failure",
    "Forbidden",
    "InvalidRequest",
    "Item",
    "Job",
    "Metrics",
    "NotFound",
    "Policy",
    "RateLimited",
    "ServerError",
    "Status",
    "TimedOut",
    "Timeline",
    "Unauthorized",
    "Unreachable",
    "read_case",
]
