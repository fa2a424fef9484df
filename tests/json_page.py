"""Writes docs/reference/json.md from the schemas of the commands' JSON."""

from collections.abc import Iterator
from typing import Any

from tests.fixtures.json_schemas import ERROR, FOLDER, SHARED, read_schema

_ABOUT = """# JSON of the commands

What each command prints with `--json` (a list also with `-o json`). Each has a JSON Schema of 2020-12 under
[`docs/reference/json`](json); the tests check what the commands print against it. A field is always there, null where
nothing is known, unless it says `may be left out`.

- `decimal`: an exact number as text. Money is in dollars, prices are those of the market. Read it as a decimal.
- `instant`: ISO 8601 in UTC. A field that ends in `_market_at` is market time, another one that of the computer.
- Units are in the name: `_s` seconds, `_ms` milliseconds, `_percent` 0 to 100, `_count` a number of things.
- Texts described as `for people` may change with any version: read the fields beside them.
- A command that fails prints [an error](#error), and its exit status is not 0.
"""
_WORDS = {"string": "text"}


def json_page() -> str:
    """Return the page: the fields of each command, then those of the shared definitions."""
    names = sorted(file.stem for file in FOLDER.glob("*.json") if file.stem not in {ERROR, SHARED})
    parts = [_ABOUT]
    for name in names:
        schema = read_schema(name)
        parts.append(f"## {schema['title']}\n\nSchema: [`{name}.json`](json/{name}.json).\n\n{_describe(schema)}")
    parts.append(f"## error\n\n{_describe(read_schema(ERROR))}")
    parts.append("## Shared definitions\n\nIn [`defs.json`](json/defs.json).")
    for name, schema in sorted(read_schema(SHARED)["$defs"].items()):
        told = schema.get("description", "")
        parts.append(f"### {name}\n\n{told}\n\n{_describe(schema)}".rstrip())
    return "\n\n".join(parts) + "\n"


def _describe(schema: dict[str, Any]) -> str:
    """Return the fields of an object as a table, alternatives one after the other, and of anything else its type."""
    if "anyOf" in schema:
        return "\n\n".join(f"{_read_description(one) or 'Or:'}\n\n{_describe(one)}" for one in schema["anyOf"])
    rows = list(_list_fields(schema, ""))
    if not rows:
        return f"Type: {_type_of(schema)}."
    return "\n".join(["| Field | Type | |", "|---|---|---|", *rows])


def _list_fields(schema: dict[str, Any], before: str) -> Iterator[str]:
    """Yield a row for each field of an object, also of those inside it."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        path = f"{before}{name}"
        left_out = "" if name in required else "may be left out"
        told = " ".join(filter(None, [_read_description(field), left_out and f"({left_out})"]))
        yield f"| `{path}` | {_type_of(field)} | {told} |"
        inner, suffix = _find_object(field)
        yield from _list_fields(inner, f"{path}{suffix}.")


def _find_object(schema: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the object inside a field and what stands between them, `[]` for an array; an empty one for others."""
    for one in schema.get("anyOf", ()):
        if one.get("type") in {"array", "object"}:
            return _find_object(one)
    if schema.get("type") == "array":
        inner, suffix = _find_object(schema["items"])
        return inner, f"[]{suffix}"
    return (schema, "") if "properties" in schema else ({}, "")


def _type_of(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            told = f"[{name}](#{name})"
        case {"anyOf": alternatives}:
            told = " or ".join(map(_type_of, alternatives))
        case {"enum": values}:
            told = ", ".join(map(_show, values))
        case {"const": value}:
            told = _show(value)
        case {"type": "array", "items": items}:
            told = f"array of {_type_of(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            told = f"object of {_type_of(values)}"
        case _:
            kinds = schema.get("type", "any JSON")
            told = " or ".join(_WORDS.get(one, one) for one in ([kinds] if isinstance(kinds, str) else kinds))
    return told


def _show(value: object) -> str:
    return f"`{value}`" if isinstance(value, str) else str(value).lower().replace("none", "null")


def _read_description(schema: dict[str, Any]) -> str:
    return str(schema.get("description", ""))
