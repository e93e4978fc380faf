"""What all JSON models share: camelCase names, strict types, errors that name the field."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from darkroom.domain.case import ID_PATTERN
from darkroom.domain.errors import MAX_QUOTED, FieldError, InvalidInput, ShotError, shortened, tree
from darkroom.domain.job import Failure
from darkroom.wire.json_text import MARK, json_errors

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]

# In the description only: what a newer worker says is understood, too.
FailureCode = Annotated[str, Field(json_schema_extra={"enum": [kind.code for kind in tree(ShotError)]})]

_SAID = 5
"""Wrong fields that an error's message names; its list names more."""

_MICRO = 1_000_000


def parse[M: BaseModel](model: type[M], body: bytes | dict[str, Any]) -> M:
    """JSON, or what was read from it, as `model`; raises InvalidInput naming each wrong field.

    JSON may begin with a byte-order mark.
    """
    if isinstance(body, bytes):
        body = body.removeprefix(MARK)
        # What other versions of our own functions add may be called anything.
        max_name = MAX_QUOTED if issubclass(model, Request) else len(body)
        if wrong := json_errors(body, max_name=max_name):
            raise _invalid(wrong, len(wrong))
    try:
        # A field has the name of the wire only: a second one could contradict it.
        if isinstance(body, bytes):
            return model.model_validate_json(body, by_alias=True, by_name=False)
        return model.model_validate(body, by_alias=True, by_name=False)
    except ValidationError as error:
        count = error.error_count()
        wrong = [
            FieldError(".".join(map(str, item["loc"])) or "body", item["msg"])
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    # Outside the except block: the original holds the input, which must not reach a log.
    raise _invalid(wrong, count)


def _invalid(wrong: Sequence[FieldError], count: int) -> InvalidInput:
    said = "; ".join(f"{shortened(e.field)}: {shortened(e.message)}" for e in wrong[:_SAID])
    return InvalidInput(said if count <= _SAID else f"{said}; and {count - _SAID} more", wrong)


class Wire(BaseModel):
    """JSON in camelCase, strictly typed."""

    # Built when first used: a function uses few of the models that it imports.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True, defer_build=True
    )


class Request(Wire):
    """What a caller sends: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Internal(Wire):
    """What our own functions send: an unknown field is from a newer version."""

    model_config = ConfigDict(extra="ignore")


class FailureView(Internal):
    """Why a shot has no picture; `retryable` says whether the same request may succeed later."""

    code: FailureCode
    message: str
    retryable: bool

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """`failure` as callers see it."""
        return cls(code=failure.code, message=failure.message, retryable=failure.retryable)

    def to_failure(self) -> Failure:
        """The failure in the domain's words."""
        return Failure(code=self.code, message=self.message, retryable=self.retryable)


def dump(view: BaseModel) -> str:
    """`view` as JSON in the names of the wire; what is None is left out."""
    return view.model_dump_json(by_alias=True, exclude_none=True)


def optional_usd(micro: int | None) -> float | None:
    """US dollars, from millionths, if there are any."""
    return None if micro is None else usd(micro)


def optional_micro_usd(usd: float | None) -> int | None:
    """Millionths of a US dollar, from dollars, if there are any."""
    return None if usd is None else micro_usd(usd)


def usd(micro: int) -> float:
    """US dollars, from millionths."""
    return micro / _MICRO


def micro_usd(usd: float) -> int:
    """Millionths of a US dollar, from dollars."""
    return int((Decimal(repr(usd)) * _MICRO).to_integral_value())
