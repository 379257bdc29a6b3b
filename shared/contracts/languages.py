"""The languages Bulkhead speaks."""

from enum import StrEnum


class Language(StrEnum):
    """BCP 47 tags of the languages that messages and files come in."""

    CHINESE = "zh-CN"
    ENGLISH = "en"
