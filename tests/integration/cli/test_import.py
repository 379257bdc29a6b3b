"""`bulkhead import`, `sample-data` and `migrate`: all of a file, or nothing of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from cli.errors import CliError
from cli.import_csv import EMPLOYEE_FIELDS, WORK_LOG_FIELDS, import_employees, import_work_logs
from cli.sample_data import employees, load, work_logs
from shared.database import create_database_engine, read
from shared.migrations import Schema, migrate
from tests.integration.cli.commands import bulkhead

EMPLOYEES = ",".join(EMPLOYEE_FIELDS)
WORK_LOGS = ",".join(WORK_LOG_FIELDS)
GOOD = "e1,2024-02-29,内容,completed,,,5,,,2024-02-29T08:00:00+08:00"

SAMPLE_DIGEST = "35f88d82753d0858624e48e94c746e99fa6043fd51b6ea55ae20b446551c8b88"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_database_engine(database_url)
    migrate(engine, Schema.SOURCE)
    yield engine
    engine.dispose()


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def count(engine: Engine, table: str) -> int:
    with read(engine) as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def add_employee(engine: Engine, folder: Path) -> None:
    import_employees(engine, write(folder, f"{EMPLOYEES}\ne1,Ann,Dev\n"), lambda _: None)


def test_employees_are_inserted_or_updated(engine: Engine, tmp_path: Path) -> None:
    content = f'\ufeff{EMPLOYEES}\r\ne1,"Ann, ""A""",Dev\r\ne2,王伟,"Ops\nNight"\r\n'
    assert import_employees(engine, write(tmp_path, content), lambda _: None) == 2
    changed = "position,employee_id,employee_name\nLead,e1,Anna\n"
    assert import_employees(engine, write(tmp_path, changed), lambda _: None) == 1
    with read(engine) as connection:
        rows = connection.execute(text("SELECT * FROM employees ORDER BY employee_id")).all()
    assert [tuple(row) for row in rows] == [("e1", "Anna", "Lead"), ("e2", "王伟", "Ops\nNight")]


def test_the_last_of_an_employees_lines_holds(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, f"{EMPLOYEES}\ne1,Ann,Dev\ne1,Anna,Lead\n")
    assert import_employees(engine, path, lambda _: None) == 2
    with read(engine) as connection:
        rows = connection.execute(text("SELECT * FROM employees")).all()
    assert [tuple(row) for row in rows] == [("e1", "Anna", "Lead")]


def test_work_logs_are_appended_in_the_files_order(engine: Engine, tmp_path: Path) -> None:
    add_employee(engine, tmp_path)
    lines = [
        GOOD,
        "e1,2024-01-01,second,pending,p,t,,3,c,",
        "",
        "e1,2024-01-02,=1+1,in_progress,,,,,,",
    ]
    path = write(tmp_path, "\n".join([WORK_LOGS, *lines]))
    assert import_work_logs(engine, path, lambda _: None) == 3
    with read(engine) as connection:
        rows = connection.execute(
            text(
                "SELECT work_content, problems_encountered, self_rating FROM work_logs ORDER BY id"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("内容", None, 5),
        ("second", "p", None),
        ("=1+1", None, None),
    ]


def test_created_at_may_be_left_out(engine: Engine, tmp_path: Path) -> None:
    add_employee(engine, tmp_path)
    header = ",".join(WORK_LOG_FIELDS[:-1])
    path = write(tmp_path, f"{header}\n{GOOD.rpartition(',')[0]}\n")
    assert import_work_logs(engine, path, lambda _: None) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace("e1", "e9"), "there is no employee 'e9'"),
        (GOOD.replace("e1", ""), "employee_id is empty"),
        (GOOD.replace("e1", "x" * 129), "longer than 128"),
        (GOOD.replace("2024-02-29,", "2023-02-29,"), "log_date is '2023-02-29'"),
        (GOOD.replace("2024-02-29,", "20240229,"), "log_date"),
        (GOOD.replace("2024-02-29,", ","), "log_date is empty"),
        (GOOD.replace("内容", ""), "work_content is empty"),
        (GOOD.replace("completed", "done"), "completion_status is 'done'"),
        (GOOD.replace(",5,", ",6,"), "self_rating is 6"),
        (GOOD.replace(",5,", ",0,"), "self_rating is 0"),
        (GOOD.replace(",5,", ",-1,"), "self_rating is '-1'"),
        (GOOD.replace(",5,", ",５,"), "self_rating is '５'"),
        (GOOD.replace(",5,", ",4.5,"), "self_rating is '4.5'"),
        (GOOD.replace("T08:00:00+08:00", "T25:00"), "created_at"),
        (GOOD + ",more", "11 fields, where the header has 10"),
        (GOOD.rpartition(",")[0], "9 fields"),
        (GOOD.replace("内容", "a\0b"), "NUL"),
        ('e1,2024-02-29,"never closed', "unexpected end of data"),
    ],
)
def test_a_bad_line_changes_nothing_and_is_named(
    engine: Engine, tmp_path: Path, line: str, reason: str
) -> None:
    add_employee(engine, tmp_path)
    path = write(tmp_path, "\n".join([WORK_LOGS, *[GOOD] * 2500, line]))
    with pytest.raises(CliError) as raised:
        import_work_logs(engine, path, lambda _: None)
    assert f"{path}, line 2502: " in str(raised.value)
    assert reason in str(raised.value)
    assert "nothing was imported" in str(raised.value)
    assert count(engine, "work_logs") == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the header lacks"),
        ("employee_id,employee_name\n", "the header lacks position"),
        (f"{EMPLOYEES},more\n", "the header should be"),
        (f"{EMPLOYEES},position\n", "the header should be"),
        (EMPLOYEES.encode() + b"\ne1,\xe4\xbd,x\n", "line 2: not UTF-8"),
        (
            "\n".join([EMPLOYEES, *["e1,王,x"] * 9000, ""]).encode() + b"\xff",
            "line 9002: not UTF-8",
        ),
        (f"{EMPLOYEES}\ne1,Ann,x\n".encode("utf-16"), "line 1: not UTF-8"),
    ],
)
def test_a_bad_file_changes_nothing(
    engine: Engine, tmp_path: Path, content: str | bytes, reason: str
) -> None:
    with pytest.raises(CliError, match=reason):
        import_employees(engine, write(tmp_path, content), lambda _: None)
    assert count(engine, "employees") == 0


def test_a_file_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="cannot be read"):
        import_employees(engine, tmp_path / "nothing.csv", lambda _: None)


def test_sample_data_is_the_same_every_time() -> None:
    first, second = list(work_logs(500)), list(work_logs(500))
    assert first == second
    assert len({row["employee_id"] for row in work_logs(5000)}) >= 200
    assert len(employees()) >= 200
    texts = [row["work_content"] for row in first]
    assert any(text.isascii() for text in texts)
    assert any(not text.isascii() for text in texts)
    nulls = sum(row["problems_encountered"] is None for row in first)
    assert 0 < nulls < 500


def test_sample_data_is_the_same_on_every_machine() -> None:
    rows = json.dumps(list(work_logs(1000)), default=str).encode()
    assert hashlib.sha256(rows).hexdigest() == SAMPLE_DIGEST


def test_sample_data_is_not_loaded_twice(engine: Engine) -> None:
    load(engine, 100, append=False, report=lambda _: None)
    with pytest.raises(CliError, match="nothing was changed"):
        load(engine, 100, append=False, report=lambda _: None)
    load(engine, 50, append=True, report=lambda _: None)
    assert count(engine, "work_logs") == 150


def test_the_commands(tmp_path: Path) -> None:
    folder = ("--data-dir", tmp_path / "data")
    assert bulkhead("migrate", *folder).stdout.count("up to date") == 2
    content = f"{EMPLOYEES}\ne1,Ann,Dev\n"
    done = bulkhead("import", "employees", "-", *folder, stdin=content)
    assert (done.returncode, done.stdout) == (0, "1 employees imported.\n"), done.stderr
    path = write(tmp_path, f"{WORK_LOGS}\n{GOOD}\n")
    assert bulkhead("import", "work-logs", path, *folder).returncode == 0
    bad = bulkhead("import", "work-logs", write(tmp_path, f"{WORK_LOGS}\nx\n"), *folder)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "line 2: 1 fields" in bad.stderr
    assert "Traceback" not in bad.stderr
    refused = bulkhead("sample-data", "--rows", "10", *folder)
    assert refused.returncode == 1
    assert "already holds 1 work logs" in refused.stderr
    assert bulkhead("--version").stdout.startswith("bulkhead")
