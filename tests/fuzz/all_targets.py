"""All targets by name."""

from tests.fuzz.targets import actor, env_server, files, learner, wire

TARGETS = {
    target.name: target
    for module in (wire, files, env_server, learner, actor)
    for target in module.TARGETS
}
