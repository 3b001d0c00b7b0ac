"""The HTTP server of a process's metrics and health. No client can exhaust it.

Each client is served in its own thread. A client that neither reads nor writes for
`TIMEOUT_SECONDS` is disconnected. At most `MAX_CLIENTS` are connected at a time; if one more
connects, the oldest is disconnected. So many idle clients use few file descriptors and do not lock
out others.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from ssd_wire.process.health import Health

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

TIMEOUT_SECONDS = 5.0
MAX_CLIENTS = 8


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves one registry, and the paths ``/healthz`` and ``/readyz``.

    Args:
        host: Address to bind, IPv6 without brackets.
        port: 0 chooses a free one; `server_port` has it.
        registry: What to serve.
        health: Of this process. Without one, the two paths answer with a fault.

    Raises:
        OSError: when the address is unusable.
    """

    daemon_threads = True
    request_queue_size = 64  # connections that wait to be accepted; 5 by default

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, health: Health | None = None
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._clients: dict[socket.socket | None, None] = {}  # in the order in which they connected
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        self.set_app(_with_health(make_wsgi_app(registry), health))

    def start(self) -> None:
        """Serve in a thread until the process ends."""
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def server_bind(self) -> None:
        """Bind without the name lookup of the standard library, which may block."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return len(self._clients)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client; disconnect the oldest if there are too many."""
        with self._lock:
            self._clients[request] = None
            oldest = next(iter(self._clients)) if len(self._clients) > MAX_CLIENTS else None
            self._clients.pop(oldest, None)
        if oldest is not None:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread wakes up and closes it
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._clients.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: the client has left or was disconnected."""


class _Handler(WSGIRequestHandler):
    timeout = TIMEOUT_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep requests out of the process's log."""


def _with_health(metrics: WSGIApplication, health: Health | None) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in ("/healthz", "/readyz"):
            return metrics(environ, start_response)
        fault = "not watched" if health is None else health.fault(path)
        status = "200 OK" if fault is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{fault or 'ok'}\n".encode()]

    return application
