"""The base of all JSON models: camelCase names, strict types, errors that name the field."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from darkroom.domain.case import ID_PATTERN
from darkroom.domain.errors import MAX_QUOTED, FieldError, InvalidInput, shortened, tree
from darkroom.domain.job import Failure
from darkroom.domain.shot_errors import ShotError
from darkroom.wire.json_text import BYTE_ORDER_MARK, json_errors

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]

# The enum is for the description only: codes of a newer worker are accepted too.
FailureCode = Annotated[str, Field(json_schema_extra={"enum": [kind.code for kind in tree(ShotError)]})]

_FIELDS_IN_MESSAGE = 5
"""Maximum wrong fields that the message of an error names. Its list of errors names more."""

_MICRO = 1_000_000


def parse[M: BaseModel](model: type[M], body: bytes | dict[str, Any]) -> M:
    """Return JSON bytes, or the object read from JSON, as `model`. Raise InvalidInput naming wrong fields.

    The bytes may begin with a byte-order mark.
    """
    if isinstance(body, bytes):
        body = body.removeprefix(BYTE_ORDER_MARK)
        _check_json(model, body)
    try:
        # A field has only its name on the wire (by_name=False): a second name could contradict the first.
        if isinstance(body, bytes):
            return model.model_validate_json(body, by_alias=True, by_name=False)
        return model.model_validate(body, by_alias=True, by_name=False)
    except ValidationError as error:
        count = error.error_count()
        errors = [
            FieldError(".".join(map(str, item["loc"])) or "body", item["msg"])
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    # Raised outside the except block: the ValidationError holds the input, which must not be logged.
    raise _invalid_input(errors, count)


def _check_json(model: type[BaseModel], body: bytes) -> None:
    # A newer version of our own functions may add fields whose names have any length.
    max_name = MAX_QUOTED if issubclass(model, Request) else len(body)
    errors = json_errors(body, max_name=max_name)
    if errors:
        raise _invalid_input(errors, len(errors))


def _invalid_input(errors: Sequence[FieldError], count: int) -> InvalidInput:
    named = [f"{shortened(error.field)}: {shortened(error.message)}" for error in errors[:_FIELDS_IN_MESSAGE]]
    if count > _FIELDS_IN_MESSAGE:
        named.append(f"and {count - _FIELDS_IN_MESSAGE} more")
    return InvalidInput("; ".join(named), errors)


class Wire(BaseModel):
    """A JSON object in camelCase, strictly typed."""

    # Built when first used, because a function uses few of the models that it imports.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, defer_build=True
    )


class Request(Wire):
    """JSON that a caller sends. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Internal(Wire):
    """JSON that our own functions send. An unknown field comes from a newer version and is ignored."""

    model_config = ConfigDict(extra="ignore")


class FailureView(Internal):
    """The reason why a shot has no picture. `retryable`: the same request may succeed later."""

    code: FailureCode
    message: str
    retryable: bool

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return the view of `failure`."""
        return cls(code=failure.code, message=failure.message, retryable=failure.retryable)

    def to_failure(self) -> Failure:
        """Return the failure as a domain object."""
        return Failure(code=self.code, message=self.message, retryable=self.retryable)


def dump(view: BaseModel) -> str:
    """Return `view` as JSON with camelCase names. Fields that are None are left out."""
    return view.model_dump_json(by_alias=True, exclude_none=True)


def failure_views(failures: Mapping[str, Failure]) -> dict[str, FailureView]:
    """Return the views of failures by shot id."""
    return {shot_id: FailureView.of(failure) for shot_id, failure in failures.items()}


def to_failures(views: Mapping[str, FailureView]) -> dict[str, Failure]:
    """Return the failures by shot id as domain objects."""
    return {shot_id: view.to_failure() for shot_id, view in views.items()}


def optional_usd(micro: int | None) -> float | None:
    """Return US dollars, from millionths; None for None."""
    return None if micro is None else usd(micro)


def optional_micro_usd(usd: float | None) -> int | None:
    """Return millionths of a US dollar, from dollars; None for None."""
    return None if usd is None else micro_usd(usd)


def usd(micro: int) -> float:
    """Return US dollars, from millionths."""
    return micro / _MICRO


def micro_usd(usd: float) -> int:
    """Return millionths of a US dollar, from dollars."""
    return int((Decimal(repr(usd)) * _MICRO).to_integral_value())
