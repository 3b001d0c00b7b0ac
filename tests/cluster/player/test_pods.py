"""StatefulSets as pods, and what is refused because the player would ignore it."""

import pytest
from tests.cluster.player.objects import Objects
from tests.cluster.player.pods import Pod, pod_of
from tests.cluster.player.variables import expand, variables


def stateful_set(**of_container):
    container = {"name": "main", "securityContext": {}, **of_container}
    return {
        "metadata": {"name": "learner"},
        "spec": {
            "serviceName": "peers",
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"securityContext": {}, "containers": [container]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        },
    }


def test_a_pod_of_a_stateful_set_has_a_name_an_index_and_claims_that_stay_the_same():
    pod = pod_of(stateful_set(), 3)
    assert pod.name == "learner-3"
    assert pod.labels["apps.kubernetes.io/pod-index"] == "3"
    assert pod.claims == {"data": "data-learner-3"}
    assert pod.host_names == ["learner-3.peers", "peers"]


@pytest.mark.parametrize("field", ["envFrom", "tty", "stdin"])
def test_a_field_that_the_player_does_not_know_is_refused(field):
    with pytest.raises(ValueError, match=field):
        pod_of(stateful_set(**{field: True}), 0)


def test_a_variable_may_be_the_label_of_the_pod_or_a_value_of_a_config_map():
    config = {"kind": "ConfigMap", "metadata": {"name": "run"}, "data": {"steps": "12"}}
    index = {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}
    steps = {"configMapKeyRef": {"name": "run", "key": "steps"}}
    env = [{"name": "AGENT", "valueFrom": index}, {"name": "STEPS", "valueFrom": steps}]
    pod = pod_of(stateful_set(env=env), 4)
    found = variables(pod.container("main"), pod, Objects([config]))
    assert found == {"AGENT": "4", "STEPS": "12"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("--k=$(K)", "--k=7"), ("$(UNKNOWN)", "$(UNKNOWN)"), ("$$(K)", "$(K)"), ("$K", "$K")],
)
def test_references_to_variables_are_expanded_as_kubernetes_does(text, expanded):
    assert expand(text, {"K": "7"}) == expanded


def test_a_pod_without_a_service_has_no_name_in_dns():
    assert Pod("alone", {}, {"securityContext": {}, "containers": []}).host_names == []
