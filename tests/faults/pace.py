"""How fast the faults go by: quick in `make test`, the product's own settings in `make faults`.

`FAULTS_PACE=product` chooses the latter.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Settings of the product, and what a test may expect under them. All in seconds.

    Attributes:
        name: for the table of figures.
        lease: `BULKHEAD_LEASE_SECONDS`.
        heartbeat: `BULKHEAD_HEARTBEAT_SECONDS`.
        sweep: `BULKHEAD_JANITOR_SWEEP_SECONDS`.
        grace: `BULKHEAD_SHUTDOWN_GRACE_SECONDS`.
        retry_base: `BULKHEAD_RETRY_BASE_SECONDS`.
        broker_absence: how long Redis is away during submits.
        database_absence: how long PostgreSQL is away during an export.
    """

    name: str
    lease: float
    heartbeat: float
    sweep: float
    grace: float
    retry_base: float
    broker_absence: float
    database_absence: float

    @property
    def recovery(self) -> float:
        """The bound that is promised for a task whose worker vanished."""
        return self.lease + self.sweep + 5

    @property
    def patience(self) -> float:
        """How long a test waits for what has no promised bound, on a busy machine."""
        return 45 + 3 * self.lease

    @property
    def timeout(self) -> float:
        """How long a test may take in all: a few such waits, one after the other."""
        return 5 * self.patience

    def environment(self) -> dict[str, str]:
        """The settings as the environment gives them."""
        return {
            "BULKHEAD_LEASE_SECONDS": str(self.lease),
            "BULKHEAD_HEARTBEAT_SECONDS": str(self.heartbeat),
            "BULKHEAD_JANITOR_SWEEP_SECONDS": str(self.sweep),
            "BULKHEAD_SHUTDOWN_GRACE_SECONDS": str(self.grace),
            "BULKHEAD_RETRY_BASE_SECONDS": str(self.retry_base),
        }


QUICK = Pace(
    "quick",
    lease=3,
    heartbeat=1,
    sweep=0.5,
    grace=1,
    retry_base=0.5,
    broker_absence=8,
    database_absence=8,
)
PRODUCT = Pace(
    "product",
    lease=30,
    heartbeat=10,
    sweep=5,
    grace=5,
    retry_base=2,
    broker_absence=60,
    database_absence=20,
)


def chosen_pace() -> Pace:
    """Give the pace that the environment asks for."""
    return {pace.name: pace for pace in (QUICK, PRODUCT)}[os.environ.get("FAULTS_PACE", "quick")]
