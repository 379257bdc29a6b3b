"""The documented flow for every endpoint, from the host, through the published port."""

import csv
import hashlib
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from cli.sample_data import employees, work_logs
from tests.e2e.compose import wait_until
from tests.e2e.conftest import ROWS, Stack

MONTH = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
HEADINGS = [
    "序号", "员工编号", "员工姓名", "岗位", "日志日期", "工作内容", "完成状态", "遇到问题",
    "明日计划", "自评分数", "上级评分", "上级评语", "创建时间",
]  # fmt: skip
STATUSES = {"completed": "已完成", "in_progress": "进行中", "pending": "待开始"}
SHANGHAI = timedelta(hours=8)


def january() -> list[list[Any]]:
    """What the cells of January should hold, straight from what was put into the source."""
    people = {each["employee_id"]: each for each in employees()}
    rows = (each for each in work_logs(ROWS) if each["log_date"].month == 1)
    return [
        [
            float(number),
            row["employee_id"],
            people[row["employee_id"]]["employee_name"],
            people[row["employee_id"]]["position"],
            row["log_date"],
            row["work_content"],
            STATUSES[row["completion_status"]],
            row["problems_encountered"] or "",
            row["tomorrow_plan"] or "",
            float(row["self_rating"]) if row["self_rating"] else "",
            float(row["supervisor_rating"]) if row["supervisor_rating"] else "",
            row["supervisor_comment"] or "",
            (row["created_at"] + SHANGHAI).replace(tzinfo=None),
        ]
        for number, row in enumerate(rows, 1)
    ]


def test_an_export_is_submitted_followed_and_downloaded_exactly(
    stack: Stack, tmp_path: Path
) -> None:
    client = stack.client
    submitted = client.http.post("/api/export/work-logs", json=MONTH)
    assert submitted.status_code == 202
    answer = submitted.json()
    assert answer["status"] == "processing"
    assert answer["message"] == "导出任务已提交，请使用 task_id 查询进度"
    assert answer["status_url"] == f"/api/tasks/{answer['task_id']}"
    (task,) = client.completed(answer["task_id"])
    assert task["progress"] == 100
    result = task["result"]
    assert re.fullmatch(r"work_logs_2024-01-01_2024-01-31_\w+\.xlsx", result["file_name"])
    content = client.download(task)
    assert hashlib.sha256(content).hexdigest() == result["sha256"]
    path = tmp_path / result["file_name"]
    path.write_bytes(content)
    wanted = january()
    assert result["records_count"] == len(wanted)
    heading, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    assert heading == HEADINGS
    assert rows == wanted


def test_some_employees_as_csv_in_english(stack: Stack) -> None:
    wanted = [row for row in january() if row[1] in {"emp_001", "emp_002"}]
    answer = stack.client.http.post(
        "/api/export/work-logs",
        json={**MONTH, "employee_ids": ["emp_001", "emp_002"], "export_format": "csv"},
        headers={"Accept-Language": "en"},
    )
    (task,) = stack.client.completed(answer.json()["task_id"])
    text = stack.client.download(task).decode("utf-8-sig")
    heading, *rows = csv.reader(io.StringIO(text, newline=""))
    assert heading[1] == "Employee ID"
    assert [(row[0], row[1], row[5]) for row in rows] == [
        (str(number), row[1], row[5]) for number, row in enumerate(wanted, 1)
    ]


def test_files_are_listed_and_read_in_parts(stack: Stack) -> None:
    (task,) = stack.client.completed(stack.client.export())
    name = task["result"]["file_name"]
    listed = stack.client.http.get("/api/exports").json()
    assert listed["count"] == len(listed["files"])
    assert listed["files"][0] == {
        "file_name": name,
        "size": task["result"]["size"],
        "created_at": task["result"]["created_at"],
        "download_url": f"/api/download/{name}",
    }
    whole = stack.client.download(task)
    part = stack.client.http.get(f"/api/download/{name}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])


def test_notifications_reach_a_mail_server_and_the_inbox(healthy: Stack) -> None:
    """The profile `mail`, switched on with two variables, as compose.yaml says."""
    client, compose = healthy.client, healthy.compose
    settings = {
        "BULKHEAD_NOTIFIER_SMTP_HOST": "mail",
        "BULKHEAD_NOTIFIER_SMTP_SECURITY": "none",
    }
    compose("--profile", "mail", "up", "--wait", "--no-build", **settings)
    client.http.put("/api/recipients/user_001", json={"email": "wang@example.org"})
    body = {"user_id": "user_001", "message": "您的报表已生成", "notification_type": "email"}
    (told,) = client.completed(client.submit("/api/notifications", body))
    assert told["result"]["recipient"] == "w***@example.org"
    notify = {"user_id": "user_001", "notification_type": "email"}
    (task,) = client.completed(client.export(notify=notify))
    mail = compose.container("mail")
    url = f"http://127.0.0.1:{compose.settings['BULKHEAD_PORT']}{task['result']['download_url']}"
    log = wait_until(
        lambda: text if url in (text := compose("logs", "--no-log-prefix", "mail")) else "",
        seconds=30,
        what="the mail with the file's address",
    )
    assert mail.health == "healthy"
    assert "To: wang@example.org" in log
    assert "您的报表已生成" in log
    body["notification_type"] = "inbox"
    client.completed(client.submit("/api/notifications", body))
    inbox = client.http.get("/api/inbox/user_001").json()
    assert inbox["entries"][0]["message"].strip() == "您的报表已生成"
    # Without a mail server, mails are files in a volume of the notifier's.
    compose("--profile", "mail", "rm", "--stop", "--force", "mail")
    compose.up()
    body["notification_type"] = "email"
    (told,) = client.completed(client.submit("/api/notifications", body))
    files = compose.container("notifier").execute("ls", "/data/mail").split()
    assert f"{told['task_id']}.eml" in files


def test_cleaning_up_removes_files_from_the_volume(stack: Stack) -> None:
    client = stack.client
    (task,) = client.completed(client.export(export_format="csv"))
    answer = client.http.post("/api/cleanup?days_old=7")
    assert answer.status_code == 202
    (week,) = client.completed(answer.json()["task_id"])
    assert (week["result"]["deleted_count"], week["result"]["days_old"]) == (0, 7)
    assert client.download(task)
    (everything,) = client.completed(client.submit("/api/cleanup?days_old=0"))
    assert everything["result"]["deleted_count"] >= 1
    assert client.http.get(task["result"]["download_url"]).status_code == 410
    assert client.http.get("/api/exports").json()["count"] == 0
    # Its own only: what killed workers have left is an orphan, for the scheduled clean-up.
    gateway = stack.compose.container("gateway")
    found = gateway.execute("find", "/data/exports", "-path", f"*{task['task_id']}*", "-type", "f")
    assert found == ""


def test_an_export_is_cancelled(stack: Stack) -> None:
    task_id = stack.client.export(start_date="2024-01-01", end_date="2024-12-31")
    assert stack.client.http.delete(f"/api/tasks/{task_id}").status_code == 202
    task = stack.client.wait(task_id)
    assert (task["status"], task["error_code"]) == ("failed", "cancelled")


def test_the_command_line_in_a_container_exports_too(stack: Stack) -> None:
    said = stack.compose(
        "run", "--rm", "-T", "admin", "export", "work-logs",
        "--from", "2024-02-01", "--to", "2024-02-01", "--json", "--output", "/tmp",
    )  # fmt: skip
    assert '"status": "completed"' in said
