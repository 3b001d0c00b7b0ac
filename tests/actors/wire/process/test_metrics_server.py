import http.client
import socket
import time
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry, Gauge
from tests.until import until

from ssd_wire.process import metrics_server
from ssd_wire.process.metrics_server import MAX_CLIENTS, MetricsServer


@pytest.fixture
def server():
    registry = CollectorRegistry()
    Gauge("answer", "To everything.", registry=registry).set(42)
    with closing(MetricsServer("127.0.0.1", 0, registry)) as made:
        made.close = lambda: (made.shutdown(), made.server_close())
        made.start()
        yield made


def scrape(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=3)
    with closing(connection):
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def silent_client(server):
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=3)


def test_metrics_are_served_over_http(server):
    assert "answer 42.0" in scrape(server)


def test_a_crowd_of_silent_clients_neither_shuts_others_out_nor_holds_many_descriptors(server):
    crowd = [silent_client(server) for _ in range(5 * MAX_CLIENTS)]
    until(lambda: server.clients >= 1)

    assert "answer 42.0" in scrape(server)
    until(lambda: server.clients <= MAX_CLIENTS)
    for client in crowd:
        client.close()


def test_a_silent_client_is_cut_off_in_time(server, monkeypatch):
    assert metrics_server._Handler.timeout <= 10
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.2)
    with silent_client(server) as client:
        began = time.monotonic()
        assert client.recv(1) == b""
        assert time.monotonic() - began < 2
    until(lambda: server.clients == 0)


def test_a_scrape_by_ipv6_is_served():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        made = MetricsServer("::1", 0, CollectorRegistry())
    except OSError as fault:
        pytest.skip(f"this machine has no IPv6: {fault}")
    with closing(socket.create_connection(("::1", made.server_port), timeout=3)):
        pass
    made.server_close()
