"""What every error of the REST interface looks like: RFC 9457, `application/problem+json`."""

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field that is wrong.

    Attributes:
        field: its name; `body` where no field is to blame.
        message: for people.
    """

    field: str
    message: str


class Problem(BaseModel):
    """Why a request was not served.

    Attributes:
        type: `about:blank`: `code` tells problems apart.
        title: of the HTTP status.
        status: the HTTP status.
        detail: for people, in the language that they asked for.
        code: lower_snake_case, the same in every language.
        errors: the fields that are wrong, where fields are.
        request_id: to look the request up in the log.
    """

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem details"})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | None = Field(default=None)
    request_id: str | None = None
