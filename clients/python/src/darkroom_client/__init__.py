"""The Python client of Darkroom: submit a case, watch its job, download its pictures."""

from darkroom_client.client import AsyncClient, Client
from darkroom_client.errors import (
    BadResponse,
    Conflict,
    DarkroomError,
    Forbidden,
    InvalidRequest,
    MissingPictures,
    NotFound,
    RateLimited,
    ServerError,
    TimedOut,
    Unauthorized,
    Unreachable,
    WrongSetting,
)
from darkroom_client.files import BadFile, read_case
from darkroom_client.models import Case, Failure, Item, Job, Metrics, Status, Timeline
from darkroom_client.protocol import Policy

__all__ = [
    "AsyncClient",
    "BadFile",
    "BadResponse",
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
    "MissingPictures",
    "NotFound",
    "Policy",
    "RateLimited",
    "ServerError",
    "Status",
    "TimedOut",
    "Timeline",
    "Unauthorized",
    "Unreachable",
    "WrongSetting",
    "read_case",
]
