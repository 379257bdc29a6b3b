"""What an error in a handler comes to."""

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.errors import InternalError, RetryableError, StorageFullError
from shared.tasks.outcomes import failed


def test_a_database_that_goes_away_is_asked_again_later() -> None:
    gone = psycopg.OperationalError("server closed the connection unexpectedly")
    for error in (
        OperationalError("SELECT 1", {}, gone),
        DBAPIError("SELECT 1", {}, gone, connection_invalidated=True),
        PoolTimeoutError("no connection within 5 seconds"),
    ):
        outcome = failed(error)
        assert isinstance(outcome, RetryableError)
        assert outcome.code == "database_unavailable"


def test_a_wrong_statement_is_a_defect_and_an_expected_error_is_itself() -> None:
    wrong = ProgrammingError("SELEKT", {}, psycopg.ProgrammingError("syntax error"))
    assert isinstance(failed(wrong), InternalError)
    full = StorageFullError()
    assert failed(full) is full
