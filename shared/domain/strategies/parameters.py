"""The parameters of a strategy: how they are read, checked and described."""

from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from shared.domain.strategies.strategy_error import StrategyError

_WORDS = {inspect.IntType: "a whole number", inspect.FloatType: "a number", inspect.StrType: "text"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a strategy: its default, what it `takes` in words, and what it means."""

    name: str
    default: Any
    takes: str
    description: str


def between(low: float, high: float, description: str = "") -> msgspec.Meta:
    """Return the limits of a number, both included, for a field such as `length: Annotated[int, ...] = 14`."""
    return msgspec.Meta(ge=low, le=high, description=description)


def list_parameters(cls: type[msgspec.Struct]) -> list[Parameter]:
    """Return the parameters of a strategy, in the order of their fields."""
    hints = get_type_hints(cls, include_extras=True)
    return [
        Parameter(one.name, one.default, _describe(hints[one.name]), _find_description(hints[one.name]))
        for one in msgspec.structs.fields(cls)
    ]


def read_parameter(cls: type[msgspec.Struct], name: str, value: object, *, is_text: bool) -> Any:  # noqa: ANN401  # a parameter is of any type
    """Return the value of a parameter; text such as `14` is read by the field's type if it `is_text`.

    Raise StrategyError with the value and what it takes.
    """
    annotation = get_type_hints(cls, include_extras=True)[name]
    try:
        return msgspec.convert(value, annotation, strict=not is_text)
    except msgspec.ValidationError:
        raise StrategyError(f"invalid {name} {value!r}: expected {_describe(annotation)}") from None


def _describe(annotation: Any) -> str:  # noqa: ANN401  # an annotation is of any type
    found = inspect.type_info(annotation)
    inner = found.type if isinstance(found, inspect.Metadata) else found
    if isinstance(inner, inspect.LiteralType):
        return f"one of {', '.join(map(str, inner.values))}"
    low, high = getattr(inner, "ge", None), getattr(inner, "le", None)
    limits = f" from {low:g} to {high:g}" if low is not None and high is not None else ""
    return _WORDS.get(type(inner), type(inner).__name__.removesuffix("Type").lower()) + limits


def _find_description(annotation: Any) -> str:  # noqa: ANN401  # as above
    return next((one.description or "" for one in getattr(annotation, "__metadata__", ())), "")
