"""A short soak; `make soak` runs it for longer, on PostgreSQL too, with another seed each time.

`SOAK_SECONDS`, `SOAK_SEED` and `SOAK_DATABASE` (sqlite, postgresql) choose.
"""

import os
import random

import pytest

from tests.faults.house import House
from tests.faults.invariants import examine
from tests.faults.soak import Soak
from tests.integration.notifier.servers import MailBox, mail_server
from tests.servers import PostgresServer

SECONDS = float(os.environ.get("SOAK_SECONDS") or 30)
DATABASE = os.environ.get("SOAK_DATABASE") or "sqlite"


@pytest.mark.timeout(SECONDS + 400)
def test_after_a_soak_nothing_is_amiss(request: pytest.FixtureRequest) -> None:
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nsoak: SOAK_SEED={seed} SOAK_SECONDS={SECONDS:g} SOAK_DATABASE={DATABASE}")
    postgres: PostgresServer | None = None
    if DATABASE == "postgresql":
        postgres = request.getfixturevalue("own_postgres")
    house: House = request.getfixturevalue("postgres_house" if postgres else "house")
    mailbox = MailBox()
    with mail_server(mailbox) as port:
        soak = Soak(house, seed, port, mailbox, postgres)
        soak.run(SECONDS)
        report = examine(soak)
    for what, count in (*sorted(soak.done.items()), *sorted(report.counts.items())):
        print(f"{count:>8}  {what}")
    assert report.wrong == [], f"seed {seed}"
    assert report.counts["exports completed"] > 0
