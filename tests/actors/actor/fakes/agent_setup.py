"""One agent whose sizes all differ, random timesteps for it, and a loop that plays a lane."""

import numpy as np
import torch

from ssd_actors.agent import Agent
from ssd_actors.lane import Lane
from ssd_influence.networks.agent_network import make_network
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.roles import optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.dims import Dims
from ssd_wire.messages import Timestep
from ssd_wire.weights import Weights

AGENT, AGENTS, ACTIONS, STEPS, GAMES, VIEW, COLOURS = 1, 4, 7, 6, 5, 9, 11
NETWORK = NetworkSettings(conv_channels=2, hidden=13, lstm=12, moa_lstm=14)
PLAIN = Dims(B=GAMES, N=AGENTS, A=ACTIONS, W=VIEW, P=COLOURS)  # no optional arrays

# Games that start an episode, by tick: at a segment's first step, inside one, and with the view
# after its last step.
EPISODE_STARTS = {3: [1], 6: [2], 7: [0, 1], 11: [3], 12: [0, 4], 17: [2], 20: range(GAMES)}


class AgentSetup:
    """Agent 1 of a run: its settings, its dims, and weights for it."""

    def __init__(self, **experiment):
        palette = np.random.default_rng(3).integers(0, 256, (COLOURS, 3)).astype(np.uint8)
        self.shape = AgentShape(AGENT, AGENTS, ACTIONS, VIEW, palette)
        self.experiment = ExperimentSettings.model_validate({"influence": "moa"} | experiment)
        self.role = role_of(self.experiment, AGENT, AGENTS)
        state = self.network(0).state_size
        optional = optional_axes(self.role, self.experiment, ACTIONS)
        self.dims = Dims.of(self.shape, GAMES, T=STEPS, S=state, **optional)
        self.tensors = {name: tuple(w.shape) for name, w in self.network(0).named_parameters()}

    def network(self, version):
        """A network whose weights differ by version, and whose outputs are not near uniform."""
        random = torch.get_rng_state()
        torch.manual_seed(version)
        network = make_network(self.shape, NETWORK, self.experiment)
        torch.set_rng_state(random)
        with torch.no_grad():
            network.policy.logits.weight.mul_(400)
            if network.moa is not None:
                network.moa.logits.weight.mul_(2000)
            if network.policy.communication is not None:
                network.policy.communication.logits.weight.mul_(400)
        return network.eval()

    def weights(self, version, learner=1):
        named = self.network(version).named_parameters()
        tensors = {name: weight.detach().numpy() for name, weight in named}
        return Weights(learner, version, 100 * version, tensors)

    def agent(self, seed=9, games=GAMES):
        rng = torch.Generator().manual_seed(seed)
        return Agent(self.shape, NETWORK, self.experiment, games, rng)

    def lane(self, index=0, seed=9):
        return Lane(index, self.agent(seed), self.dims)


class TimestepSource:
    """Agent 1's timesteps in one lane, tick by tick: all at random, but for its own choices.

    Args:
        seed: Of all that is random.
        starts: Games that start an episode, by tick; at tick 0 all do.
        env, lane: Environment incarnation and lane of its timesteps.
        setup: Whose experiment decides which optional fields they have; None for none.
    """

    def __init__(self, seed=0, starts=None, env=7, lane=0, setup=None):
        self._dims = setup.dims if setup else PLAIN
        self._leaders = setup.role.leaders if setup else ()
        self._rng = np.random.default_rng(seed)
        self._starts = {0: range(GAMES)} | (starts or {})
        self.env = env
        self.lane = lane
        self.timesteps = []  # so far
        self.acts = []  # the agent's actions
        self.symbols = []  # and symbols

    def next(self):
        """The next timestep."""
        tick, rng = len(self.timesteps), self._rng
        is_first = np.isin(np.arange(GAMES), list(self._starts.get(tick, ())))
        actions = rng.integers(0, ACTIONS, (GAMES, AGENTS)).astype(np.uint8)
        if self.acts:
            actions[:, AGENT] = self.acts[-1]
        if self.timesteps and self.timesteps[-1].leader_actions is not None:
            actions[:, list(self._leaders)] = self.timesteps[-1].leader_actions
        self.timesteps.append(
            Timestep(
                env_incarnation=self.env,
                lane=self.lane,
                tick=tick,
                pixels=rng.integers(0, COLOURS, (GAMES, VIEW, VIEW)).astype(np.uint8),
                is_first=is_first,
                reward=rng.normal(0, 1, GAMES).astype(np.float32),
                actions=actions,
                visible=rng.random((GAMES, AGENTS)) < 0.4,
                **self._optional_fields(),
            )
        )
        return self.timesteps[-1]

    def _optional_fields(self):
        """Those that only some experiments have."""
        dims, rng, fields = self._dims, self._rng, {}
        if dims.V:
            fields["symbols"] = rng.integers(0, dims.V, (GAMES, AGENTS)).astype(np.uint8)
            if self.symbols:
                fields["symbols"][:, AGENT] = self.symbols[-1]
        if dims.L:
            leader_actions = rng.integers(0, ACTIONS, (GAMES, dims.L))
            fields["leader_actions"] = leader_actions.astype(np.uint8)
        if dims.Q:
            fields["leader_log_probs"] = log_probs(rng, GAMES, dims.Q, ACTIONS)
        if dims.J:
            fields["responses"] = log_probs(rng, GAMES, dims.J, dims.C, ACTIONS)
        if dims.R:
            fields["all_rewards"] = rng.normal(0, 1, (GAMES, dims.R)).astype(np.float32)
        return fields


def log_probs(rng, *shape):
    logits = rng.normal(0, 1, shape)
    return np.float32(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))


def run_lane(setup, lane, source, ticks):
    """Play so many ticks; the segments completed in them, each with weights of its own."""
    segments = []
    for _ in range(ticks):
        timestep = source.next()
        if (segment := lane.complete_step(timestep)) is not None:
            segments.append(segment.build(epoch=1, seq=len(segments) + 1, lane=lane.index))
        if lane.needs_segment:
            lane.begin_segment(timestep, setup.weights(version=1 + lane.tick))
        act = lane.act(timestep)
        source.acts.append(act.action)
        source.symbols.append(act.symbol)
    return segments
