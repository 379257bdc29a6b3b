"""What the gateway's endpoints work with, built once where it starts."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from services.gateway.settings import GatewaySettings
from shared.bell import Bell
from shared.contracts.languages import Language
from shared.database import create_database_engine
from shared.messages import negotiate
from shared.storage import Storage
from shared.tasks.store import TaskStore

POOL_SIZE = 10


class Clients:
    """Database, storage and broker. All are for threads, none for the event loop.

    Args:
        settings: the gateway's.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.engine: Engine = create_database_engine(settings.database_url, pool_size=POOL_SIZE)
        self.store = TaskStore(self.engine, settings.lease)
        self.storage = Storage.from_url(settings.storage_url)
        self.bell = Bell(settings.redis_url)

    def close(self) -> None:
        """Close all connections."""
        self.bell.close()
        self.engine.dispose()


def _clients(request: Request) -> Clients:
    clients: Clients = request.app.state.clients
    return clients


def _language(request: Request) -> Language:
    return negotiate(request.headers.get("accept-language"))


ClientsOf = Annotated[Clients, Depends(_clients)]
LanguageOf = Annotated[Language, Depends(_language)]
