"""What the command line reads from the environment beside the services' settings."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """Which gateway `bulkhead export` speaks to, and who it is there."""

    model_config = SettingsConfigDict(
        env_prefix="BULKHEAD_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: str = Field(
        default="http://127.0.0.1:8000", description="The gateway that `bulkhead export` asks."
    )
    api_key: str = Field(
        default="", description="Sent with its requests; `bulkhead keys create` makes one."
    )
