"""The metrics count what happened."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ssd_env_server.metrics import EnvMetrics

BY_AGENT = "ssd_env_episode_return", "ssd_env_events_total", "ssd_env_equality"


def read(env):
    registry = CollectorRegistry()
    registry.register(EnvMetrics(env.server))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_metrics_count_steps_seats_episodes_and_errors(env):
    for tick in range(12):
        env.everyone_acts(tick)
    env.act(0, tick=3)
    env.join(0, incarnation=2)
    env.send_frames(b"unknown peer", [b"not a message"])
    env.now = 1.1
    env.serve()
    env.socket.dropped = 5
    found = {name: value for name, value in read(env).items() if name not in BY_AGENT}
    assert found.pop("ssd_env_stepping_seconds_total") > 0
    assert found == {
        "ssd_env_ticks_total": 12,
        "ssd_env_steps_total": 24,
        "ssd_env_agent_steps_total": 72,
        "ssd_env_episodes_total": 2,
        "ssd_env_full_episodes_total": 1,
        "ssd_env_episode_log_failing": 0,
        "ssd_env_seats_taken": 3,
        "ssd_env_resent_timesteps_total": 6,
        "ssd_env_repeated_acts_total": 1,
        "ssd_env_refusals_total": 2,
        "ssd_env_protocol_errors_total": 1,
        "ssd_env_refused_connections_total": 0,
        "ssd_env_ended_connections_total": 0,
        "ssd_env_dropped_sends_total": 5,
        "ssd_run_complete": 0,
    }


def test_every_metric_has_a_description(env):
    for metric in EnvMetrics(env.server).collect():
        assert metric.documentation.endswith(".")
