"""Sample work logs: the same ones every time, in Chinese and English, with gaps as in real life."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, product
from typing import Any

from sqlalchemy import Engine, func, insert, select

from cli.errors import CliError
from cli.source import EMPLOYEES, WORK_LOGS
from shared.api_keys import LOCAL
from shared.database import create_database_engine, insert_or, read
from shared.migrations import Schema, migrate
from shared.recipients import load_recipient, save_recipient
from shared.settings import Settings

FIRST_DAY = date(2024, 1, 1)
DAYS = 366
EMPLOYEE_COUNT = 240
BATCH_ROWS = 5000
SEED = 20240101
SAMPLE_USER = "user_001"
SAMPLE_ADDRESS = "user_001@example.com"

SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗")
GIVEN_NAMES = (*"伟芳娜敏静丽强磊洋艳勇军杰娟涛明超", "秀英", "建国", "子涵")
FOREIGN_NAMES = (
    "Anna Schmidt", "Brian O'Connor", "Chloé Dubois", "David Kim", "Elena Petrova", "Farid Rahman",
    "Grace Lee", "Hugo García", "Ivy Chen", "Jonas Müller",
)  # fmt: skip
POSITIONS = (
    "软件工程师", "测试工程师", "产品经理", "销售代表", "客户经理", "数据分析师", "运维工程师",
    "Software engineer", "Account manager", "Support specialist",
)  # fmt: skip
CUSTOMERS = (
    "华东区客户", "星河科技", "远航物流", "青松教育", "蓝海制造", "城南医院",
    "Northwind", "Contoso",
)  # fmt: skip
SUBJECTS = (
    "报表导出模块", "客户跟进记录", "季度预算", "接口联调", "移动端登录", "合同评审",
    "数据迁移脚本", "the billing report", "the onboarding guide", "search performance",
)  # fmt: skip
CONTENTS = (
    "完成{subject}的开发与自测，提交代码评审；同步更新设计文档，共处理 {n} 个问题。",
    "拜访{customer}，沟通{subject}的需求细节，整理会议纪要 {n} 页并发送给相关同事。",
    "协助{customer}排查{subject}的线上问题，定位到第 {n} 号缓存节点，已回滚并观察。",
    "编写{subject}的测试用例 {n} 条，执行回归测试，记录缺陷并跟踪修复进度。",
    "Worked on {subject} for {customer}: closed {n} tickets, reviewed two pull requests.",
    "Prepared {subject} with {customer}; agreed on {n} open points & sent the minutes.",
)
PROBLEMS = (
    "{customer}的测试环境不稳定，影响了约 {n} 小时的进度。",
    "{subject}依赖的接口响应较慢（>{n} 秒），需要与后端确认。",
    "需求文档与原型不一致，等待产品确认。",
    "Blocked by missing permissions for {subject}; asked IT (ticket #{n}).",
)
PLANS = (
    "继续推进{subject}，预计完成 {n}0%。",
    "与{customer}确认验收时间；准备演示环境。",
    "修复剩余 {n} 个缺陷，补充单元测试。",
    "Finish {subject}, then start the handover to {customer}.",
)
COMMENTS = (
    "进展顺利，注意控制范围。",
    "{subject}完成得不错，继续保持！",
    "请尽快与{customer}确认时间表。",
    "Good work; please document {subject}.",
)

Report = Callable[[int], None]


def employees() -> list[dict[str, str]]:
    """Give the sample employees, `emp_001` and so on."""
    names = [f"{surname}{given}" for surname, given in product(SURNAMES, GIVEN_NAMES)]
    names = [*FOREIGN_NAMES, *names[:: len(names) // (EMPLOYEE_COUNT - len(FOREIGN_NAMES))]]
    return [
        {
            "employee_id": f"emp_{number + 1:03}",
            "employee_name": names[number],
            "position": POSITIONS[number % len(POSITIONS)],
        }
        for number in range(EMPLOYEE_COUNT)
    ]


def work_logs(rows: int) -> Iterator[dict[str, Any]]:
    """Give work logs spread evenly over the year 2024, oldest first."""
    dice = random.Random(SEED)  # noqa: S311  (the same every time is what is wanted)
    chance, choice = dice.random, dice.choice

    def text(templates: tuple[str, ...], present: float) -> str | None:
        if chance() >= present:
            return None
        return choice(templates).format(
            subject=choice(SUBJECTS), customer=choice(CUSTOMERS), n=1 + int(chance() * 9)
        )

    def rating(present: float) -> int | None:
        return min(5, 2 + int(chance() * 4)) if chance() < present else None

    for number in range(rows):
        day = FIRST_DAY + timedelta(days=number * DAYS // rows)
        hour, minute, second = 9 + int(chance() * 6), int(chance() * 60), int(chance() * 60)
        reviewed = chance() < 0.7  # noqa: PLR2004  (a share of all)
        yield {
            "employee_id": f"emp_{1 + int(chance() * EMPLOYEE_COUNT):03}",
            "log_date": day,
            "work_content": text(CONTENTS, 1),
            "completion_status": choice(("completed", "completed", "in_progress", "pending")),
            "problems_encountered": text(PROBLEMS, 0.35),
            "tomorrow_plan": text(PLANS, 0.85),
            "self_rating": rating(0.9),
            "supervisor_rating": rating(1) if reviewed else None,
            "supervisor_comment": text(COMMENTS, 0.6) if reviewed else None,
            "created_at": datetime.combine(day, time(hour, minute, second), UTC),
        }


def count_work_logs(engine: Engine) -> int:
    """Count what the source holds."""
    with read(engine) as connection:
        return connection.execute(select(func.count()).select_from(WORK_LOGS)).scalar_one()


def register_user(settings: Settings) -> None:
    """Register the user of the documented notification, unless somebody of that name is."""
    engine = create_database_engine(settings.database_url, pool_size=0)
    migrate(engine, Schema.TASKS)
    if load_recipient(engine, LOCAL, SAMPLE_USER) is None:
        save_recipient(engine, LOCAL, SAMPLE_USER, email=SAMPLE_ADDRESS, webhook_url=None)


def load(engine: Engine, rows: int, *, append: bool, report: Report) -> None:
    """Put sample employees and `rows` work logs into the source, all or nothing.

    Args:
        engine: the source.
        rows: how many work logs.
        append: add to work logs that are there already.
        report: told how many rows are written.

    Raises:
        CliError: work logs are there, and `append` is not given.
    """
    if not append and (there := count_work_logs(engine)):
        raise CliError(
            f"The source already holds {there:,} work logs; nothing was changed. "
            "Give --append to add more, or another --data-dir."
        )
    source, written = work_logs(rows), 0
    with engine.begin() as connection:
        connection.execute(insert_or(connection, EMPLOYEES).on_conflict_do_nothing(), employees())
        while batch := list(islice(source, BATCH_ROWS)):
            connection.execute(insert(WORK_LOGS), batch)
            written += len(batch)
            report(written)
