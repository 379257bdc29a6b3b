"""The gateway's settings."""

from ipaddress import ip_address
from typing import ClassVar

from pydantic import Field

from shared.settings import Settings


class GatewaySettings(Settings):
    """What the gateway needs beside the rest: `BULKHEAD_GATEWAY_…`."""

    service: ClassVar[str] = "gateway"

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; anything but loopback needs an API key.",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    allow_anonymous: bool = Field(
        default=False, description="Serve requests without an API key, from anywhere."
    )
    shutdown_seconds: int = Field(
        default=5, ge=0, description="How long requests under way may go on when it stops."
    )

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
