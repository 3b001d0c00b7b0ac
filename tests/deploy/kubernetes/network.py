"""Which connections the NetworkPolicies of a namespace allow."""

from dataclasses import dataclass

NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Pod:
    """One end of a connection.

    Attributes:
        labels: Of the pod.
        namespace: Its name; None for that of the policies.
    """

    labels: dict
    namespace: str | None = None


def allows(policies, source, target, port, protocol="TCP"):
    """Whether a pod may connect to a port of another; one of them is in the policies' namespace."""
    return _allows(policies, "egress", "to", source, target, port, protocol) and _allows(
        policies, "ingress", "from", target, source, port, protocol
    )


def _allows(policies, direction, peers, subject, peer, port, protocol):
    if subject.namespace is not None:
        return True  # it is in another namespace, whose policies are not known
    chosen = [
        one["spec"]
        for one in policies
        if direction.capitalize() in one["spec"]["policyTypes"]
        and _selects(one["spec"]["podSelector"], subject.labels)
    ]
    rules = [rule for spec in chosen for rule in spec.get(direction, ())]
    return not chosen or any(
        any(_is_peer(one, peer) for one in rule[peers])
        and any(_is_port(one, port, protocol) for one in rule["ports"])
        for rule in rules
    )


def _selects(selector, labels):
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def _is_peer(one, pod):
    assert set(one) <= {"podSelector", "namespaceSelector"}
    if "namespaceSelector" not in one:
        return pod.namespace is None and _selects(one["podSelector"], pod.labels)
    in_namespace = _selects(one["namespaceSelector"], {NAMESPACE_NAME: pod.namespace})
    return in_namespace and _selects(one["podSelector"], pod.labels)


def _is_port(one, port, protocol):
    return one["protocol"] == protocol and one["port"] <= port <= one.get("endPort", one["port"])
