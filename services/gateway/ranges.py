"""Conditional and partial requests for one file: RFC 9110 sections 13 and 14."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
MOST_DIGITS = 18


@dataclass(frozen=True)
class Part:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


class UnsatisfiableRangeError(Exception):
    """The range begins behind the file's end: 416."""


def choose_part(header: str | None, size: int) -> Part | None:
    """Read a `Range` header; None means the whole file.

    A header that is malformed, asks for several ranges or for another unit is ignored, as section
    14.2 allows.

    Raises:
        UnsatisfiableRangeError: none of the bytes that it asks for exist.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or any(len(digits or "") > MOST_DIGITS for digits in found.groups()):
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise UnsatisfiableRangeError
    return Part(start, end)


def is_not_modified(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has the file already: section 13.1.2, compared weakly."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)


def may_send_part(if_range: str | None, etag: str) -> bool:
    """Whether a `Range` counts: section 13.1.5, compared strongly; a date never matches."""
    return if_range is None or if_range.strip() == etag
