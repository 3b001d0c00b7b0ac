"""The metrics tell what happened."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ssd_env_server.metrics import WorldMetrics


def read(world):
    registry = CollectorRegistry()
    registry.register(WorldMetrics(world.world))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_metrics_count_steps_seats_episodes_and_trouble(world):
    for tick in range(12):
        world.everyone_acts(tick)
    world.act(0, tick=3)
    world.join(0, incarnation=2)
    world.hear_bytes(b"stranger", [b"nonsense"])
    world.now = 1.1
    world.serve()
    world.door.dropped = 5
    found = read(world)
    assert found.pop("ssd_env_stepping_seconds_total") > 0
    assert found == {
        "ssd_env_ticks_total": 12,
        "ssd_env_steps_total": 24,
        "ssd_env_agent_steps_total": 72,
        "ssd_env_episodes_total": 2,
        "ssd_env_seats_taken": 3,
        "ssd_env_reoffers_total": 6,
        "ssd_env_repeats_total": 1,
        "ssd_env_refusals_total": 2,
        "ssd_env_protocol_errors_total": 1,
        "ssd_env_dropped_sends_total": 5,
    }


def test_every_metric_says_what_it_is(world):
    for metric in WorldMetrics(world.world).collect():
        assert metric.documentation.endswith(".")
