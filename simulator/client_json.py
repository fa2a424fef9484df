"""The decoding of JSON from the other side of a connection: whatever is wrong with the text is one error."""

from typing import Any, TypeVar

import msgspec

Wanted = TypeVar("Wanted")
MAX_BODY_DEPTH = 32  # of a request: ASP.NET Core's MvcOptions.MaxModelBindingRecursionDepth
MAX_RECORD_DEPTH = 64  # of a record of a hub: the default of .NET's Utf8JsonReader
_DECODER = msgspec.json.Decoder()


def read_json(raw: bytes | str, decoder: "msgspec.json.Decoder[Wanted]") -> Wanted:
    """Decode JSON; raise msgspec.DecodeError for malformed JSON, text that is not UTF-8, and endless nesting."""
    try:
        return decoder.decode(raw)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"JSON is malformed: {error}") from None
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None


def read_nested_json(raw: bytes | str, max_depth: int, decoder: "msgspec.json.Decoder[Any]" = _DECODER) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON as `read_json` does; raise msgspec.DecodeError also if it has more than `max_depth` levels."""
    found = read_json(raw, decoder)
    depth, level = 0, [found]
    while containers := [part for part in level if isinstance(part, (dict, list))]:
        depth += 1
        if depth > max_depth:
            raise msgspec.DecodeError(f"The maximum configured depth of {max_depth} has been exceeded.")
        level = [
            part
            for container in containers
            for part in (container.values() if isinstance(container, dict) else container)
        ]
    return found
