"""The decoding of a request's JSON as ASP.NET does it: names in any case, and numbers also in strings.

Source: venue.md section 7.6; System.Text.Json's defaults for web applications (JsonSerializerDefaults.Web). A number in
a string follows JSON's own grammar; a boolean, an enumeration or an object in a string is refused.
"""

import re
import types
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from simulator.client_json import MAX_BODY_DEPTH, read_nested_json
from simulator.request_bodies import ENUM, RequestBody

Body = TypeVar("Body", bound=RequestBody)
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,18})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,28})(\.\d{1,28})?([eE][+-]?\d{1,2})?", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)(?:(T\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


class _Literal(str):
    """A number with a fraction or an exponent, as it was written: it is read only where a number is expected."""

    __slots__ = ()


_DECODER = msgspec.json.Decoder(float_hook=_Literal)


def decode_body(raw: bytes, body: type[Body]) -> Body:
    """Return the body of a request; raise msgspec.DecodeError, with the path of the field, for one that is refused.

    The last of several fields with one name counts; unknown fields are ignored, but not their depth.
    """
    return msgspec.convert(_adapt(read_nested_json(raw, MAX_BODY_DEPTH, _DECODER), body, "$"), body)


def _adapt(value: object, wanted: Any, path: str) -> object:  # noqa: ANN401 - a type, or a union of types
    """Return the JSON value with the names and values that `wanted` expects; leave what does not fit to the decoder."""
    kind = _kind_of(wanted)
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, RequestBody):
        fields = _fields_of(kind)
        known = ((fields[name.lower()], part) for name, part in value.items() if name.lower() in fields)
        return {name: _adapt(part, field, f"{path}.{name}") for (name, field), part in known}
    if isinstance(value, list) and get_origin(kind) is list:
        return [_adapt(part, get_args(kind)[0], f"{path}[...]") for part in value]
    if isinstance(value, _Literal):
        return _adapt_number(value, kind, path)
    return _adapt_text(value, kind, path) if isinstance(value, str) else value


def _adapt_number(literal: _Literal, kind: Any, path: str) -> object:  # noqa: ANN401 - as above
    if kind is Decimal and _NUMBER.fullmatch(literal):
        return Decimal(literal)
    name = getattr(kind, "__name__", "int").lower()
    raise msgspec.ValidationError(f"Expected `{name}`, got `float` - at `{path}`")


def _adapt_text(text: str, kind: Any, path: str) -> object:  # noqa: ANN401 - as above
    if kind is int and _INTEGER.fullmatch(text):
        return int(text)
    if kind is Decimal and _NUMBER.fullmatch(text):
        return Decimal(text)
    if kind is datetime and (found := _INSTANT.fullmatch(text)):
        day, clock, seconds, offset = found.groups(default="")
        return f"{day}{clock or 'T00:00'}{seconds or ':00'}{offset}"
    if kind in {Decimal, datetime}:  # the decoder itself would take more than the venue does
        raise msgspec.ValidationError(f"Expected `{kind.__name__.lower()}`, got `str` - at `{path}`")
    return text


@cache
def _fields_of(body: type[RequestBody]) -> dict[str, tuple[str, Any]]:
    """Return the JSON name and the type of each field, by its name in lower case."""
    hints = get_type_hints(body, include_extras=True)
    return {field.encode_name.lower(): (field.encode_name, hints[field.name]) for field in msgspec.structs.fields(body)}


@cache
def _kind_of(wanted: Any) -> Any:  # noqa: ANN401 - a type, or a union of types
    """Return the type without its limits and without None; None for an enumeration, which is read from no string."""
    if get_origin(wanted) is Annotated:
        kind, *limits = get_args(wanted)
        return None if any(limit.extra == ENUM for limit in limits) else _kind_of(kind)
    if get_origin(wanted) in {Union, types.UnionType}:
        return next(_kind_of(part) for part in get_args(wanted) if part is not types.NoneType)
    return wanted
