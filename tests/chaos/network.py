"""Hosts of a network on this machine, whose links can be taken down or lose all packets.

Each host is a network namespace, joined to a router, which is one, too. Needs root and `ip`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

PREFIX = f"ssd-{os.getpid()}"
ROUTER = f"{PREFIX}-router"


def unavailable() -> str:
    """Why there can be no such network here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need `ip`"
    tried = subprocess.run(
        ["ip", "netns", "add", ROUTER], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        return f"no network namespaces: {tried.stderr.strip()}"
    _ip("netns", "del", ROUTER)
    return ""


@dataclass(frozen=True)
class Host:
    """One host.

    Attributes:
        name: Of it.
        number: Of its subnet.
    """

    name: str
    number: int

    @property
    def namespace(self) -> str:
        """The name of its network namespace."""
        return f"{PREFIX}-{self.name}"

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return f"10.77.{self.number}.2"

    @property
    def within(self) -> Sequence[str]:
        """Words before a command that is to run on this host."""
        return ("ip", "netns", "exec", self.namespace)

    @property
    def _link(self) -> str:
        """The router's end of its link."""
        return f"to-{self.number}"

    def take_down(self) -> None:
        """Take its link down: both ends are told that there is no carrier."""
        _ip("-n", ROUTER, "link", "set", self._link, "down")

    def bring_up(self) -> None:
        """Bring its link up again."""
        _ip("-n", ROUTER, "link", "set", self._link, "up")

    def drop_packets(self) -> None:
        """Drop all packets from and to it; nobody is told."""
        _ip("-n", ROUTER, "rule", "add", "from", self.address, "blackhole")
        _ip("-n", ROUTER, "route", "add", "blackhole", self.address)

    def pass_packets(self) -> None:
        """Drop no more packets."""
        _ip("-n", ROUTER, "rule", "del", "from", self.address, "blackhole")
        _ip("-n", ROUTER, "route", "del", "blackhole", self.address)


@contextmanager
def network(*names: str) -> Iterator[list[Host]]:
    """Hosts of these names, which reach each other through the router."""
    hosts = [Host(name, number) for number, name in enumerate(names, start=1)]
    made: list[str] = []
    try:
        for namespace in (ROUTER, *(host.namespace for host in hosts)):
            _ip("netns", "add", namespace)
            made.append(namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        _ip("netns", "exec", ROUTER, "sh", "-c", forward)
        for host in hosts:
            _join(host)
        yield hosts
    finally:
        for namespace in made:
            _ip("netns", "del", namespace)


def _join(host: Host) -> None:
    router, link = f"10.77.{host.number}.1", host._link
    pair = ("type", "veth", "peer", "name", "eth0", "netns", host.namespace)
    _ip("-n", ROUTER, "link", "add", link, *pair)
    _ip("-n", ROUTER, "addr", "add", f"{router}/24", "dev", link)
    _ip("-n", ROUTER, "link", "set", link, "up")
    _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
    _ip("-n", host.namespace, "link", "set", "eth0", "up")
    _ip("-n", host.namespace, "route", "add", "default", "via", router)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
