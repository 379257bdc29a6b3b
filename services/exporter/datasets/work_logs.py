"""Work logs: the view `work_log_export`, which an application's database provides."""

from services.exporter.datasets.dataset import Dataset, SourceColumn
from services.exporter.table import Kind
from shared.contracts.languages import Language

ZH, EN = Language.CHINESE, Language.ENGLISH

STATUS_WORDS = {
    "completed": {ZH: "已完成", EN: "Completed"},
    "in_progress": {ZH: "进行中", EN: "In progress"},
    "pending": {ZH: "待开始", EN: "Pending"},
}

WORK_LOGS = Dataset(
    relation="work_log_export",
    title={ZH: "工作日志", EN: "Work logs"},
    date="log_date",
    employee="employee_id",
    order=("log_date", "id"),
    columns=(
        SourceColumn(None, Kind.ROW_NUMBER, {ZH: "序号", EN: "No."}, 8),
        SourceColumn("employee_id", Kind.TEXT, {ZH: "员工编号", EN: "Employee ID"}, 14),
        SourceColumn("employee_name", Kind.TEXT, {ZH: "员工姓名", EN: "Employee"}, 16),
        SourceColumn("position", Kind.TEXT, {ZH: "岗位", EN: "Position"}, 18),
        SourceColumn("log_date", Kind.DATE, {ZH: "日志日期", EN: "Date"}, 12),
        SourceColumn("work_content", Kind.TEXT, {ZH: "工作内容", EN: "Work content"}, 50),
        SourceColumn(
            "completion_status", Kind.CHOICE, {ZH: "完成状态", EN: "Status"}, 12, STATUS_WORDS
        ),
        SourceColumn("problems_encountered", Kind.TEXT, {ZH: "遇到问题", EN: "Problems"}, 40),
        SourceColumn("tomorrow_plan", Kind.TEXT, {ZH: "明日计划", EN: "Plan for tomorrow"}, 40),
        SourceColumn("self_rating", Kind.NUMBER, {ZH: "自评分数", EN: "Self rating"}, 12),
        SourceColumn(
            "supervisor_rating", Kind.NUMBER, {ZH: "上级评分", EN: "Supervisor rating"}, 18
        ),
        SourceColumn(
            "supervisor_comment", Kind.TEXT, {ZH: "上级评语", EN: "Supervisor comment"}, 40
        ),
        SourceColumn("created_at", Kind.TIMESTAMP, {ZH: "创建时间", EN: "Created"}, 20),
    ),
)
