"""NetworkPolicies as rules of nft, for pods on a bridge of this machine.

A pod that no policy selects for a direction is open in that direction. Otherwise it has only the
connections that some policy allows. Both ends are asked: the sender's Egress and the receiver's
Ingress. Connections from the machine itself, such as kubelet's probes, are always allowed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.player.objects import Object

TABLE = "ssd_test_cluster"
_PEER = {"Ingress": "from", "Egress": "to"}
_OWN = {"Ingress": "daddr", "Egress": "saddr"}  # where a packet has the address of the pod
_OTHER = {"Ingress": "saddr", "Egress": "daddr"}


@dataclass(frozen=True)
class Endpoint:
    """Something with an address: a pod, or the DNS server.

    Attributes:
        address: IPv4.
        labels: Of the pod.
        namespace: Labels of its namespace.
    """

    address: str
    labels: Mapping[str, str]
    namespace: Mapping[str, str] = field(default_factory=dict)


def enforce(
    policies: Collection[Object], endpoints: Collection[Endpoint], home: Mapping[str, str]
) -> None:
    """Replace the rules of this machine by those of the policies, at once.

    Args:
        policies: Of one namespace.
        endpoints: All there are.
        home: Labels of that namespace.
    """
    _nft(f"table ip {TABLE}\ndelete table ip {TABLE}\n{ruleset(policies, endpoints, home)}")


def lift() -> None:
    """Remove all rules."""
    _nft(f"table ip {TABLE}\ndelete table ip {TABLE}\n")


def ruleset(
    policies: Collection[Object], endpoints: Collection[Endpoint], home: Mapping[str, str]
) -> str:
    """The rules, as nft reads them."""
    mine = [each for each in endpoints if each.namespace == home]
    chains = {
        direction: [
            rule
            for endpoint in mine
            for rule in _rules(direction, endpoint, policies, endpoints, home)
        ]
        for direction in _PEER
    }
    return (
        f"table ip {TABLE} {{\n"
        f"{_chain('egress', chains['Egress'])}"
        f"{_chain('ingress', chains['Ingress'])}"
        f"{_hook('forward', ['jump egress', 'jump ingress'])}"
        # The DNS server listens on this machine.
        f"{_hook('input', ['jump egress'])}"
        "}\n"
    )


def _rules(
    direction: str,
    endpoint: Endpoint,
    policies: Collection[Object],
    endpoints: Collection[Endpoint],
    home: Mapping[str, str],
) -> Iterator[str]:
    """What one endpoint may do in one direction; nothing if no policy selects it."""
    isolating = [
        policy["spec"]
        for policy in policies
        if direction in _types(policy["spec"])
        and _selects(policy["spec"]["podSelector"], endpoint.labels)
    ]
    own = f"ip {_OWN[direction]} {endpoint.address}"
    for spec in isolating:
        for rule in spec.get(direction.lower()) or ():
            peers = _peers(rule.get(_PEER[direction]), endpoints, home)
            for matches in _matches(_OTHER[direction], peers, rule.get("ports")):
                yield " ".join([own, *matches, "return"])
    if isolating:
        yield f"{own} drop"


def _types(spec: Mapping[str, Any]) -> Collection[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]


def _matches(
    other: str, peers: list[str] | None, ports: list[Mapping[str, Any]] | None
) -> Iterator[list[str]]:
    """The matches of each rule that a policy's rule needs, one for each port."""
    if peers is not None and not peers:
        return  # nobody is selected at the moment
    addresses = [] if peers is None else [f"ip {other} {{ {', '.join(peers)} }}"]
    if not ports:
        yield addresses
    for port in ports or ():
        protocol = port.get("protocol", "TCP").lower()
        yield [*addresses, f"{protocol} dport {int(port['port'])}"]


def _peers(
    selectors: list[Mapping[str, Any]] | None,
    endpoints: Iterable[Endpoint],
    home: Mapping[str, str],
) -> list[str] | None:
    """Addresses of all endpoints that one of the selectors selects; None for everything."""
    if not selectors:
        return None
    return sorted(
        endpoint.address
        for endpoint in endpoints
        if any(_is_peer(selector, endpoint, home) for selector in selectors)
    )


def _is_peer(selector: Mapping[str, Any], endpoint: Endpoint, home: Mapping[str, str]) -> bool:
    if unknown := set(selector) - {"podSelector", "namespaceSelector"}:
        raise ValueError(f"the player does not know peers by {sorted(unknown)}")
    in_namespace = (
        _selects(selector["namespaceSelector"], endpoint.namespace)
        if "namespaceSelector" in selector
        else endpoint.namespace == home
    )
    return in_namespace and _selects(selector.get("podSelector", {}), endpoint.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if unknown := set(selector) - {"matchLabels"}:
        raise ValueError(f"the player does not know selectors by {sorted(unknown)}")
    return selector.get("matchLabels", {}).items() <= labels.items()


def _chain(name: str, rules: Iterable[str]) -> str:
    return f"  chain {name} {{\n{''.join(f'    {rule}{chr(10)}' for rule in rules)}  }}\n"


def _hook(name: str, rules: Iterable[str]) -> str:
    head = [
        f"type filter hook {name} priority filter - 10; policy accept;",
        "ct state established,related accept",
    ]
    return _chain(name, [*head, *rules])


def _nft(rules: str) -> None:
    command = ["nft", "-f", "-"]
    done = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{rules}"
