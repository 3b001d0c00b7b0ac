"""The rules that NetworkPolicies become."""

import pytest
from tests.cluster.player.network_policies import Endpoint, ruleset

HOME, OTHER = {"kubernetes.io/metadata.name": "run"}, {"kubernetes.io/metadata.name": "other"}
LEARNER = Endpoint("10.0.0.1", {"role": "learner"}, HOME)
ARENA = Endpoint("10.0.0.2", {"role": "arena"}, HOME)
ELSEWHERE = Endpoint("10.0.0.3", {"role": "arena"}, OTHER)
ARENAS = {"podSelector": {"matchLabels": {"role": "arena"}}}


def rules(*specs):
    """The rules for the endpoints above, without the table around them."""
    policies = [{"spec": spec} for spec in specs]
    lines = ruleset(policies, [LEARNER, ARENA, ELSEWHERE], HOME).splitlines()
    return [line.strip() for line in lines if line.strip().startswith("ip ")]


def learner_ingress(*ingress):
    selector = {"matchLabels": {"role": "learner"}}
    return {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": list(ingress)}


def test_a_pod_that_no_policy_selects_is_open():
    assert rules() == []


def test_a_policy_without_rules_denies_its_directions_to_every_pod_of_its_namespace():
    everything = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert rules(everything) == [
        "ip saddr 10.0.0.1 drop",
        "ip saddr 10.0.0.2 drop",
        "ip daddr 10.0.0.1 drop",
        "ip daddr 10.0.0.2 drop",
    ]


def test_a_pod_has_what_its_policies_allow_and_no_more():
    allowed = {"from": [ARENAS], "ports": [{"port": 5700}, {"port": 53, "protocol": "UDP"}]}
    assert rules(learner_ingress(allowed)) == [
        "ip daddr 10.0.0.1 ip saddr { 10.0.0.2 } tcp dport 5700 return",
        "ip daddr 10.0.0.1 ip saddr { 10.0.0.2 } udp dport 53 return",
        "ip daddr 10.0.0.1 drop",
    ]


def test_peers_in_another_namespace_are_those_that_its_labels_select():
    elsewhere = {"from": [{"namespaceSelector": {"matchLabels": OTHER}, **ARENAS}]}
    allowed, _ = rules(learner_ingress(elsewhere))
    assert allowed == "ip daddr 10.0.0.1 ip saddr { 10.0.0.3 } return"


def test_a_rule_without_peers_allows_all_and_one_that_selects_nobody_allows_none():
    nobody = {"from": [{"podSelector": {"matchLabels": {"role": "nobody"}}}]}
    assert rules(learner_ingress({})) == ["ip daddr 10.0.0.1 return", "ip daddr 10.0.0.1 drop"]
    assert rules(learner_ingress(nobody)) == ["ip daddr 10.0.0.1 drop"]


def test_selectors_that_the_player_does_not_know_are_refused():
    strange = {"podSelector": {"matchExpressions": []}, "policyTypes": ["Ingress"]}
    with pytest.raises(ValueError, match="matchExpressions"):
        rules(strange)
