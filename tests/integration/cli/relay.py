"""A connection between a client and a server that a test may cut."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

CHUNK = 64 * 1024


class Relay:
    """Passes bytes on to a server, from a port of its own; cuts when it is told to."""

    def __init__(self, server: str) -> None:
        address = urlsplit(server)
        self._server = (address.hostname, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.answers = 0
        self.cuts = 0
        self.refused = 0
        self._cut_after: list[int] = []
        self._is_away = False
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_answers_after(self, *sizes: int) -> None:
        """Cut the next connections when that many bytes of answers have passed, one size each."""
        self._cut_after = list(sizes)

    def go_away(self) -> None:
        """Drop every new connection."""
        self._is_away = True

    def come_back(self) -> None:
        """Pass connections on again."""
        self._is_away = False

    def close(self) -> None:
        """Listen no longer."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._server) as server:
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            left = self._cut_after.pop(0) if self._cut_after else None
            while chunk := _receive(server):
                if self._is_away:
                    self.refused += 1
                    break
                client.sendall(chunk[:left])
                self.answers += 1
                if left is not None and (left := left - len(chunk)) <= 0:
                    self.cuts += 1
                    break
            for each in (client, server):
                _shut_down(each)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):  # the server may be gone first
            while chunk := _receive(client):
                server.sendall(chunk)
        _shut_down(server)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(CHUNK)
    except OSError:
        return b""


def _shut_down(each: socket.socket) -> None:
    with suppress(OSError):  # it is shut already
        each.shutdown(socket.SHUT_RDWR)
