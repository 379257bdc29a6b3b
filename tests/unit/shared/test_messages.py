"""Texts in every language, for every error there is."""

import string

import pytest

from shared import errors
from shared.contracts.languages import Language
from shared.messages import MESSAGES, negotiate, say

EN, ZH = Language.ENGLISH, Language.CHINESE


@pytest.mark.parametrize("key", MESSAGES)
def test_a_message_says_the_same_in_every_language(key: str) -> None:
    fields = {
        language: sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)
        for language, text in MESSAGES[key].items()
    }
    assert set(fields) == set(Language)
    assert fields[EN] == fields[ZH]


def test_every_error_that_ends_a_task_has_a_text() -> None:
    def below(base: type[errors.BulkheadError]) -> set[type[errors.BulkheadError]]:
        return {base}.union(*(below(each) for each in base.__subclasses__()))

    mine = {each for each in below(errors.BulkheadError) if each.__module__ == errors.__name__}
    assert {each.code for each in mine} <= set(MESSAGES)


def test_the_documented_progress_is_word_for_word() -> None:
    arguments = {"format": "Excel", "written": 30, "total": 50}
    assert say("writing", ZH, arguments) == "正在写入 Excel 文件... (30/50)"


def test_a_message_from_the_future_is_no_error() -> None:
    assert say("not_known_yet", EN) == "not_known_yet"
    assert say("writing", EN, {}) == "writing"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, ZH),
        ("", ZH),
        ("en", EN),
        ("en-GB,en;q=0.9", EN),
        ("zh-CN,zh;q=0.9,en;q=0.8", ZH),
        ("en;q=0.5,zh;q=0.9", ZH),
        ("en;q=0", ZH),
        ("fr,en;q=0.3", EN),
        ("fr", ZH),
        ("*", ZH),
        ("en;q=much", ZH),
        (";;;,=,", ZH),
        ("EN", EN),
    ],
)
def test_the_language_is_negotiated(header: str | None, language: Language) -> None:
    assert negotiate(header) is language
