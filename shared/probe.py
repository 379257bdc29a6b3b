"""`python -m shared.probe PORT`: whether the service on this machine's port is alive and ready.

What a container's health check runs. It is apart from what it asks about, so that a process which
hangs is noticed, and it imports the standard library only: it starts every few seconds.
"""

import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

ANSWER_SECONDS = 5.0
"""More than `shared.health.CHECK_SECONDS`, within which a service answers whatever is away."""


def ask(port: int, path: str) -> str | None:
    """Ask for a path; None if all is well, else what is not."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        return f"{path}: {type(error).__name__}: {error}"
    finally:
        connection.close()
    return None if answer.status == HTTPStatus.OK else f"{path}: {answer.status} {body}"


def main(port: int) -> int:
    """Give the exit status: 0 healthy, 1 not; the reason goes to standard output."""
    for path in ("/healthz", "/readyz"):
        if (reason := ask(port, path)) is not None:
            print(reason)  # noqa: T201  (`docker inspect` shows it)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
