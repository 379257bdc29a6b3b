"""What is wrong with a field, in words: from pydantic's errors to texts in two languages."""

from collections.abc import Iterable
from typing import Any

from pydantic_core import PydanticCustomError

from shared.contracts.languages import Language
from shared.contracts.problems import FieldError
from shared.messages import MESSAGES, say

# By the beginning of pydantic's error type; the first that fits.
# Source: https://docs.pydantic.dev/latest/errors/validation_errors/
_KEYS = (
    ("missing", "field_missing"),
    ("json_invalid", "body_no_json"),
    ("model_attributes_type", "body_no_object"),
    ("enum", "field_not_one_of"),
    ("greater_than_equal", "field_too_small"),
    ("less_than_equal", "field_too_large"),
    ("int", "field_no_integer"),
    ("string_too_long", "field_too_long"),
    ("string_pattern", "field_malformed"),
)
_IN_THE_REQUEST = ("body", "query", "path", "header")


def invalid(key: str, **arguments: Any) -> PydanticCustomError:
    """Make the error that a validator raises: a key of `shared.messages`, and its arguments."""
    # pydantic would take the text for a template of its own.
    return PydanticCustomError(key, "invalid", arguments)


def field_errors(errors: Iterable[Any], language: Language) -> list[FieldError]:
    """Say what is wrong with each field."""
    return [
        FieldError(field=_field(error["loc"]), message=say(_key(error), language, error.get("ctx")))
        for error in errors
    ]


def _field(location: tuple[str | int, ...]) -> str:
    names = [part for part in location if isinstance(part, str)]
    if len(names) > 1 and names[0] in _IN_THE_REQUEST:
        return names[1]
    return names[0] if names else "body"


def _key(error: Any) -> str:
    kind = error["type"]
    if kind in MESSAGES:
        return str(kind)
    return next((key for start, key in _KEYS if kind.startswith(start)), "field_malformed")
