"""What clients send, and where a bad date is refused."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from services.gateway.validation import invalid
from shared.contracts.languages import Language
from shared.contracts.tasks import (
    DEFAULT_PRIORITY,
    HIGHEST_PRIORITY,
    Addressee,
    Channel,
    ExportFormat,
    WorkLogsExport,
)

LONGEST_RANGE_DAYS = 1096
MOST_EMPLOYEE_IDS = 5000
LONGEST_EMPLOYEE_ID = 128

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Control characters, and halves of surrogate pairs, which no database stores.
_NOT_IN_AN_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _parse_day(value: Any) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise invalid("field_no_date")


Day = Annotated[date, BeforeValidator(_parse_day, json_schema_input_type=date)]
"""A calendar date: only `YYYY-MM-DD`, as a text."""


def _parse_user_id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_EMPLOYEE_ID:
        raise invalid("user_id_malformed", longest=LONGEST_EMPLOYEE_ID)
    if _NOT_IN_AN_ID.search(value):
        raise invalid("user_id_malformed", longest=LONGEST_EMPLOYEE_ID)
    return value


UserId = Annotated[str, BeforeValidator(_parse_user_id, json_schema_input_type=str)]
"""An application's name for a user."""


class NotifyRequest(BaseModel):
    """Whom to tell, and how."""

    user_id: UserId
    notification_type: Channel = Channel.EMAIL

    def addressee(self) -> Addressee:
        """Give it as the task keeps it."""
        return Addressee(user_id=self.user_id, channel=self.notification_type)


class ExportRequest(BaseModel):
    """The body of `POST /api/export/work-logs`; fields that are not known are ignored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "start_date": "2024-01-01",
                    "end_date": "2024-01-31",
                    "employee_ids": ["emp_001", "emp_002"],
                    "export_format": "xlsx",
                }
            ]
        }
    )

    start_date: Day = Field(description="First day, inclusive.")
    end_date: Day = Field(
        description=f"Last day, inclusive; at most {LONGEST_RANGE_DAYS} days in all."
    )
    employee_ids: list[str] | None = Field(
        default=None,
        description=f"Only these employees, at most {MOST_EMPLOYEE_IDS}; left out: all.",
    )
    export_format: ExportFormat = Field(
        default=ExportFormat.XLSX, description="The format of the file."
    )
    notify: NotifyRequest | None = Field(
        default=None, description="Whom to tell when the export has ended."
    )
    priority: int = Field(
        default=DEFAULT_PRIORITY,
        strict=True,
        ge=0,
        le=HIGHEST_PRIORITY,
        description="9 goes first.",
    )

    @field_validator("end_date")
    @classmethod
    def _range(cls, end: date, info: ValidationInfo) -> date:
        start = info.data.get("start_date")
        if start is not None and end < start:
            raise invalid("range_ends_before_start")
        if start is not None and (end - start).days + 1 > LONGEST_RANGE_DAYS:
            raise invalid("range_too_long", days=LONGEST_RANGE_DAYS)
        return end

    @field_validator("employee_ids", mode="before")
    @classmethod
    def _employee_ids(cls, value: Any) -> list[str] | None:
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise invalid("ids_no_list")
        if not value:
            raise invalid("ids_empty")
        if len(value) > MOST_EMPLOYEE_IDS:
            raise invalid("ids_too_many", most=MOST_EMPLOYEE_IDS)
        for place, each in enumerate(value, 1):
            if not 0 < len(each) <= LONGEST_EMPLOYEE_ID or _NOT_IN_AN_ID.search(each):
                raise invalid("id_malformed", place=place, longest=LONGEST_EMPLOYEE_ID)
        return list(dict.fromkeys(value))

    @field_validator("export_format", mode="before")
    @classmethod
    def _default_format(cls, value: Any) -> Any:
        return ExportFormat.XLSX if value is None else value

    @field_validator("priority", mode="before")
    @classmethod
    def _default_priority(cls, value: Any) -> Any:
        return DEFAULT_PRIORITY if value is None else value

    def parameters(self, language: Language) -> WorkLogsExport:
        """Give the task's parameters."""
        return WorkLogsExport(
            start_date=self.start_date,
            end_date=self.end_date,
            employee_ids=None if self.employee_ids is None else tuple(self.employee_ids),
            export_format=self.export_format,
            language=language,
            notify=self.notify.addressee() if self.notify else None,
        )
