"""What is wrong in a file, in one sentence that a person who writes content can act upon: allowed keys and values, likely misprints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

MOST_LISTED = 30
"""More names than this are not listed: the likely one alone is more help."""


def near(name: str, there: Iterable[str]) -> str:
    """Say which of the names there may be meant: "; did you mean 'x'?", or nothing."""
    found = get_close_matches(name, sorted(there), n=1, cutoff=0.66)
    return f"; did you mean {found[0]!r}?" if found else ""


def none_of(name: object, there: Iterable[str]) -> str:
    """Say what there is instead of a name, the likely one first: "; did you mean 'x'? allowed: x, y, z"."""
    names = list(dict.fromkeys(there))
    listed = f"allowed: {', '.join(names)}" if names and len(names) <= MOST_LISTED else ""
    likely = near(str(name), names)
    return f"{likely} {listed}".rstrip() if likely else f"; {listed}" if listed else ""


def sentence(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Say in one sentence what pydantic found in the data of a model."""
    match found["type"]:
        case "literal_error" | "enum":
            expected = str(found["ctx"]["expected"]).replace(" or ", ", ").replace("'", "")
            return f"{_written(found['input'])} is none of {expected}"
        case "extra_forbidden":
            wrong, allowed = str(found["loc"][-1]), keys(model, found["loc"][:-1])
            return f"unknown key{near(wrong, allowed)}; allowed are {', '.join(allowed)}"
        case "missing":
            return "is missing"
        case "value_error":
            return str(found["ctx"]["error"])
        case "string_type" | "bool_type" | "bool_parsing" | "int_parsing" | "float_parsing" | "int_type" | "float_type":
            wanted = str(found["msg"]).removeprefix("Input should be ").partition(",")[0]
            return f"{_written(found['input'])} is not {wanted}"
        case _:
            return str(found["msg"])


def keys(model: type[BaseModel], loc: tuple[int | str, ...] = ()) -> tuple[str, ...]:
    """Keys that the part of a file at a place may have, as they are written there."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models(model.model_fields[part].annotation), model)
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _written(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
