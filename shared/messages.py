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
    "notification_submitted": {
        ZH: "通知任务已提交，请使用 task_id 查询进度",
        EN: "The notification has been submitted; ask for its progress with task_id",
    },
    "clean_up_submitted": {
        ZH: "清理任务已提交，请使用 task_id 查询进度",
        EN: "The clean-up has been submitted; ask for its progress with task_id",
    },
    "delivering": {ZH: "正在发送通知...", EN: "Delivering the notification..."},
    "removing": {ZH: "正在清理文件... ({removed})", EN: "Removing files... ({removed})"},
    "querying": {ZH: "正在查询数据...", EN: "Querying the data..."},
    "writing": {
        ZH: "正在写入 {format} 文件... ({written}/{total})",
        EN: "Writing the {format} file... ({written}/{total})",
    },
    "finishing": {ZH: "正在完成文件...", EN: "Finishing the file..."},
    "queued": {ZH: "任务正在排队...", EN: "The task is waiting for its turn..."},
    "retrying": {
        ZH: "外部服务暂时不可用，稍后自动重试...",
        EN: "Something outside did not answer; the task will be tried again...",
    },
    "running": {ZH: "任务已开始...", EN: "The task has begun..."},
    "cancelling": {ZH: "正在取消任务...", EN: "The task is being cancelled..."},
    # Why a task failed
    "cancelled": {ZH: "任务已取消", EN: "The task was cancelled"},
    "channel_misconfigured": {
        ZH: "通知渠道 {channel} 的设置有误（{reason}）；请联系管理员",
        EN: "The channel {channel} is set up wrongly ({reason}); ask your administrator",
    },
    "delivery_refused": {
        ZH: "对方拒绝接收（{reason}）；请检查 PUT /api/recipients/{user_id} 登记的地址",
        EN: "It was refused ({reason}); "
        "check the address that PUT /api/recipients/{user_id} registered",
    },
    "delivery_unavailable": {
        ZH: "多次重试后仍无法送达（{reason}）；请稍后重新提交",
        EN: "It could not be delivered, also after several tries ({reason}); submit it again later",
    },
    "recipient_unknown": {
        ZH: "用户 {user_id} 没有登记 {channel} 地址；请先调用 PUT /api/recipients/{user_id}",
        EN: "No {channel} address is known of {user_id}; register one with "
        "PUT /api/recipients/{user_id}",
    },
    "webhook_forbidden": {
        ZH: "webhook 地址指向内部网络，已拒绝；请在 PUT /api/recipients/{user_id} 登记公网地址",
        EN: "The webhook's address is inside our own network; register another with "
        "PUT /api/recipients/{user_id}",
    },
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
    # Why a request was refused
    "api_key_missing": {
        ZH: "需要 API 密钥：请发送请求头 Authorization: Bearer <密钥>",
        EN: "An API key is needed: send the header Authorization: Bearer <key>",
    },
    "api_key_unknown": {
        ZH: "API 密钥无效或已撤销；请向管理员索取新密钥",
        EN: "The API key is not known, or was revoked; ask your administrator for another",
    },
    "bad_request": {ZH: "无法理解该请求", EN: "The request cannot be understood"},
    "body_too_large": {
        ZH: "请求体超过 1 MiB；请减少 employee_ids 的数量",
        EN: "The body is larger than 1 MiB; send fewer employee_ids",
    },
    "cursor_unknown": {
        ZH: "cursor 无效；请使用上一页的 next_cursor",
        EN: "The cursor is none of ours; use next_cursor of the last page",
    },
    "database_unavailable": {
        ZH: "任务数据库暂时不可用；请稍后重试",
        EN: "The task database does not answer; try again later",
    },
    "recipient_not_registered": {
        ZH: "没有登记此用户；请先调用 PUT /api/recipients/{user_id}",
        EN: "This user is not registered; PUT /api/recipients/{user_id} does it",
    },
    "file_expired": {
        ZH: "文件已过期并被清理；请重新导出",
        EN: "The file has expired and is gone; export it again",
    },
    "file_unknown": {
        ZH: "没有此文件；可用 GET /api/exports 查看文件列表",
        EN: "There is no such file; GET /api/exports lists those that there are",
    },
    "gateway_error": {
        ZH: "内部错误，已记录到日志；请联系管理员并提供 request_id",
        EN: "An internal error, noted in the log; give the request_id to your administrator",
    },
    "idempotency_key_malformed": {
        ZH: "Idempotency-Key 应为 1 到 255 个可见 ASCII 字符",
        EN: "An Idempotency-Key is 1 to 255 visible ASCII characters",
    },
    "idempotency_key_reused": {
        ZH: "Idempotency-Key {key} 已用于内容不同的请求；请换一个",
        EN: "The Idempotency-Key {key} was used with another body; take a new one",
    },
    "invalid_request": {ZH: "请求有误：{fields}", EN: "These are wrong: {fields}"},
    "method_not_allowed": {
        ZH: "此地址不支持该方法；见响应头 Allow",
        EN: "There is no such method here; see the header Allow",
    },
    "not_found": {ZH: "没有此地址；见 /docs", EN: "There is nothing here; see /docs"},
    "range_unsatisfiable": {
        ZH: "请求的范围超出文件大小；见响应头 Content-Range",
        EN: "The range begins behind the file's end; see the header Content-Range",
    },
    "storage_away": {
        ZH: "文件存储暂时不可用；请稍后重试",
        EN: "The file storage does not answer; try again later",
    },
    "task_is_over": {
        ZH: "任务已结束，无法取消",
        EN: "The task is over; there is nothing to cancel",
    },
    "task_unknown": {
        ZH: "没有此任务；可用 GET /api/tasks 查看任务列表",
        EN: "There is no such task; GET /api/tasks lists those that there are",
    },
    # What is wrong with a field
    "body_no_json": {ZH: "请求体不是有效的 JSON", EN: "The body is no JSON"},
    "body_no_object": {
        ZH: "请求体应为 JSON 对象，并带有请求头 Content-Type: application/json",
        EN: "The body should be a JSON object, with the header Content-Type: application/json",
    },
    "field_malformed": {ZH: "格式不正确", EN: "This is malformed"},
    "field_missing": {ZH: "缺少此字段", EN: "This is missing"},
    "field_no_date": {
        ZH: "应为 YYYY-MM-DD 格式的有效日期",
        EN: "This should be a date that exists, as YYYY-MM-DD",
    },
    "field_no_integer": {ZH: "应为整数", EN: "This should be an integer"},
    "field_not_one_of": {ZH: "应为以下之一：{expected}", EN: "This should be {expected}"},
    "field_too_large": {ZH: "不能大于 {le}", EN: "This should be at most {le}"},
    "field_too_long": {ZH: "最多 {max_length} 个字符", EN: "At most {max_length} characters"},
    "field_too_small": {ZH: "不能小于 {ge}", EN: "This should be at least {ge}"},
    "id_malformed": {
        ZH: "第 {place} 个编号应为 1 到 {longest} 个字符，且不含控制字符",
        EN: "Id {place} should have 1 to {longest} characters, and no control characters",
    },
    "address_malformed": {
        ZH: "不是有效的邮箱地址：{reason}",
        EN: "This is no mail address: {reason}",
    },
    "url_malformed": {
        ZH: "应为 http 或 https 地址，最多 {longest} 个字符",
        EN: "This should be an http or https address of at most {longest} characters",
    },
    "user_id_malformed": {
        ZH: "应为 1 到 {longest} 个字符，且不含控制字符",
        EN: "This should have 1 to {longest} characters, and no control characters",
    },
    "message_malformed": {
        ZH: "应为 1 到 {longest} 个字符的文本",
        EN: "This should be a text of 1 to {longest} characters",
    },
    "ids_empty": {
        ZH: "列表为空；导出全部员工时请省略此字段",
        EN: "The list is empty; leave it out to export all employees",
    },
    "ids_no_list": {ZH: "应为字符串列表", EN: "This should be a list of texts"},
    "ids_too_many": {ZH: "最多 {most} 个编号", EN: "At most {most} ids"},
    "range_ends_before_start": {
        ZH: "end_date 不能早于 start_date",
        EN: "end_date should not be before start_date",
    },
    "range_too_long": {
        ZH: "日期范围最多 {days} 天；请分多次导出",
        EN: "The range should have at most {days} days; export it in several parts",
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
