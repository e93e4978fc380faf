"""What all JSON models share: camelCase names, strict types, errors that name the field."""

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from darkroom.domain.case import ID_PATTERN
from darkroom.domain.errors import FieldError, InvalidInput, ShotError, tree
from darkroom.domain.job import Failure

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]

# In the description only: what a newer worker says is understood, too.
FailureCode = Annotated[str, Field(json_schema_extra={"enum": [kind.code for kind in tree(ShotError)]})]

_MICRO = 1_000_000


def parse[M: BaseModel](model: type[M], body: bytes | dict[str, Any]) -> M:
    """JSON, or what was read from it, as `model`; raises InvalidInput naming each wrong field."""
    try:
        if isinstance(body, bytes):
            return model.model_validate_json(body)
        return model.model_validate(body)
    except ValidationError as error:
        wrong = [
            FieldError(".".join(map(str, item["loc"])) or "body", item["msg"])
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    # Outside the except block: the original holds the input, which must not reach a log.
    raise InvalidInput("; ".join(f"{e.field}: {e.message}" for e in wrong[:5]), wrong)


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
