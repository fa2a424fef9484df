"""The comparison of messages with the simulator's schemas: names, types, decimals, instants, enumerations."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from simulator.conformance.redaction import mask_digits
from simulator.conformance.results import CheckResult, Question
from simulator.schemas import SCHEMAS, Model

MAX_DECIMALS = 9
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00")
_ENVELOPE: Mapping[str, tuple[type, ...]] = {
    "success": (bool,), "errorCode": (int,), "errorMessage": (str, type(None)),
}  # fmt: skip
# The values that venue.md section 6 lists, by model and field.
_ENUMS: Mapping[tuple[str, str], range] = {
    ("OrderModel", "status"): range(9),
    ("OrderModel", "type"): range(8),
    ("OrderModel", "side"): range(2),
    ("PositionModel", "type"): range(3),
    ("HalfTradeModel", "side"): range(2),
    ("TradeEntry", "type"): range(2),
    ("DepthEntry", "type"): range(12),
}
_JSON_NAMES = {bool: "true or false", int: "a whole number", Decimal: "a number", str: "text", type(None): "null"}


def find_answer_differences(path: str, document: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Return how a successful answer differs from the schema of its path: envelope, payload and rows."""
    if not isinstance(document, dict):
        return ["the answer is not a JSON object"]
    payload = SCHEMAS[path].payload
    found = [f"lacks {name}" for name in (*_ENVELOPE, *payload) if name not in document]
    found += [f"has {name}" for name in document if name not in _ENVELOPE and name not in payload]
    for name, types in _ENVELOPE.items():
        if name in document and type(document[name]) not in types:
            found.append(f"{name} is {_json_name(document[name])}")
    for name, type_ in payload.items():
        value, model = document.get(name), _find_model(type_)
        if model is None:
            continue
        if value is None and name in document:
            found.append(f"{name} is null")
        elif value is not None:
            found += find_differences(value if isinstance(value, list) else [value], model)
    return found


def find_differences(rows: Iterable[Any], model: type[Model], *, may_omit_null: bool = False) -> list[str]:
    """Return how rows differ from a model, each difference once; `may_omit_null` allows absent optional fields."""
    fields = {field.encode_name: inspect.type_info(field.type) for field in msgspec.structs.fields(model)}
    found: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict):
            found[f"a row is {_json_name(row)}"] = None
            continue
        found |= dict.fromkeys(f"has {name}" for name in row if name not in fields)
        for name, type_ in fields.items():
            if name not in row:
                if not (may_omit_null and _may_be_null(type_)):
                    found[f"lacks {name}"] = None
            elif problem := _find_problem(model, name, row[name], type_):
                found[f"{name} {problem}"] = None
    return list(found)


def describe_differences(differences: list[str], count: int, noun: str) -> str:
    """Return the text of an observation: the differences, or that there are none."""
    return f"{count} {noun}: {'; '.join(differences) if differences else 'as documented'}"


def assess_rows(question: Question, differences: list[str], count: int, noun: str, *, if_none: str) -> CheckResult:
    """Return the result of a question about the fields of rows; without any it is not asked, for the reason `if_none`.

    Without rows the answer around them may differ all the same.
    """
    if not count and not differences:
        return question.skip(if_none)
    return question.assess(describe_differences(differences, count, noun), is_same=not differences)


def count_decimals(value: Decimal | int) -> int:
    """Return the number of decimals a number has on the wire."""
    return max(0, -int(value.as_tuple().exponent)) if isinstance(value, Decimal) else 0


def _find_problem(model: type[Model], name: str, value: object, type_: inspect.Type) -> str | None:
    kinds = type_.types if isinstance(type_, inspect.UnionType) else (type_,)
    if value is None:
        return None if _may_be_null(type_) else "is null"
    kind = next(one for one in kinds if not isinstance(one, inspect.NoneType))
    match kind:
        case inspect.DateTimeType():
            return _find_instant_problem(value)
        case inspect.DecimalType():
            if not isinstance(value, int | Decimal) or isinstance(value, bool):
                return f"is {_json_name(value)}"
            return f"has {count_decimals(value)} decimals" if count_decimals(value) > MAX_DECIMALS else None
        case inspect.IntType():
            return _find_integer_problem(model, name, value, kind)
    wanted = bool if isinstance(kind, inspect.BoolType) else str
    return None if type(value) is wanted else f"is {_json_name(value)}"


def _find_instant_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"is {_json_name(value)}"
    return None if _INSTANT.fullmatch(value) else f"has the form {mask_digits(value)}"


def _find_integer_problem(model: type[Model], name: str, value: object, kind: inspect.IntType) -> str | None:
    if type(value) is not int:
        return f"is {_json_name(value)}"
    known = _ENUMS.get((model.__name__, name))
    if known is not None and value not in known:
        return f"is {value}, which no document lists"
    is_small = (kind.ge is None or value >= kind.ge) and (kind.le is None or value <= kind.le)
    return None if is_small else "does not fit its integer type"


def _may_be_null(type_: inspect.Type) -> bool:
    return isinstance(type_, inspect.UnionType) and type_.includes_none


def _find_model(type_: Any) -> type[Model] | None:  # noqa: ANN401 - an annotation
    """Return the model in an annotation such as list[OrderModel] | None."""
    if isinstance(type_, type) and issubclass(type_, Model):
        return type_
    parts = getattr(type_, "__args__", ())
    return next((model for part in parts if (model := _find_model(part))), None)


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), "a list or an object")
