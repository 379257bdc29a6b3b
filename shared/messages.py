"""Every text that people read, in every language, and which language a request gets.

Rows hold a key and its arguments, never a text, so a task submitted in one language can be read in
another. An error's key is its code.
"""

from typing import Any

from shared.contracts.languages import Language

ZH, EN = Language.CHINESE, Language.ENGLISH
DEFAULT_LANGUAGE = ZH

MESSAGES: dict[str, dict[Language, str]] = {
    # Submitting and progress
    "export_submitted": {
        ZH: "导出任务已提交，请使用 task_id 查询进度",
        EN: "The export has been submitted; ask for its progress with task_id",
    },
    "querying": {ZH: "正在查询数据...", EN: "Querying the data..."},
    "writing": {
        ZH: "正在写入 {format} 文件... ({written}/{total})",
        EN: "Writing the {format} file... ({written}/{total})",
    },
    "finishing": {ZH: "正在完成文件...", EN: "Finishing the file..."},
    # Why a task failed
    "cancelled": {ZH: "任务已取消", EN: "The task was cancelled"},
    "internal_error": {
        ZH: "内部错误，已记录到日志；请联系管理员并提供 task_id",
        EN: "An internal error, noted in the log; give the task_id to your administrator",
    },
    "parameters_unreadable": {
        ZH: "此版本无法读取任务参数；请重新提交",
        EN: "This release cannot read the task's parameters; submit it again",
    },
    "row_count_mismatch": {
        ZH: "写入 {written} 行，但应为 {expected} 行，文件未发布；请重新提交",
        EN: "{written} rows were written where {expected} were expected, so the file is withheld; "
        "submit it again",
    },
    "source_schema": {
        ZH: "数据源不符合要求：{reason}；请让管理员检查视图 work_log_export",
        EN: "The data source does not fit: {reason}; "
        "ask your administrator to check the view work_log_export",
    },
    "source_unavailable": {
        ZH: "多次重试后仍无法连接数据源；请稍后重新提交",
        EN: "The data source did not answer, also after several tries; submit it again later",
    },
    "storage_full": {
        ZH: "存储空间不足；请让管理员清理空间后重新提交",
        EN: "No space is left in storage; "
        "ask your administrator to free some, then submit it again",
    },
    "storage_not_writable": {
        ZH: "存储目录不可写；请让管理员检查权限后重新提交",
        EN: "Storage cannot be written to; "
        "ask your administrator to check its permissions, then submit it again",
    },
    "storage_unavailable": {
        ZH: "多次重试后仍无法访问存储；请稍后重新提交",
        EN: "Storage did not answer, also after several tries; submit it again later",
    },
    "time_limit": {
        ZH: "任务超过时间限制；请缩小日期范围或员工范围后重新提交",
        EN: "The task ran past its time limit; submit it again for fewer days or employees",
    },
    "worker_lost": {
        ZH: "执行任务的进程多次异常退出（{losses} 次）；请缩小范围后重新提交，或联系管理员",
        EN: "The workers that ran this task were lost ({losses} times); "
        "submit it again for a smaller range, or ask your administrator",
    },
}


def say(key: str, language: Language, arguments: dict[str, Any] | None = None) -> str:
    """Give a message's text.

    A key or argument that this release does not know (a newer one wrote the row) gives the key
    itself: an answer with an odd text is better than none.
    """
    try:
        return MESSAGES[key][language].format(**(arguments or {}))
    except (KeyError, IndexError):
        return key


def negotiate(accept_language: str | None) -> Language:
    """Choose a language by an `Accept-Language` header; Chinese where it does not decide.

    Source: RFC 9110 section 12.5.4. A language's first subtag decides (`en-GB` is English), the
    highest quality wins, the earlier one among equals.
    """
    best, best_quality = DEFAULT_LANGUAGE, 0.0
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        primary = tag.strip().lower().partition("-")[0]
        for language in Language:
            if primary == language.value.partition("-")[0] and quality > best_quality:
                best, best_quality = language, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
