"""Games without rules: each view says where and when it was seen, and each reward occurs once.

They take the place of `ssd_env_server.lane_games.LaneGames`, so what an actor records can be
compared with what was played.
"""

import struct

import numpy as np
from tests.simulation.settings import ACTIONS, VIEW

from ssd_wire.messages import Timestep

# Number of the environment process, arena, lane, agent, tick; then the game.
VIEW_HEADER = struct.Struct("<HBBBHBx")
CELLS = VIEW * VIEW


class SimulatedGames:
    """The games of one lane.

    Args:
        settings: Of the history.
        record: Is told all that is played.
        arena: Index of the arena.
        number: Of the environment process; differs from that of all others of the history.
        env_incarnation: Of the same process.
        lane: Index of the lane.
    """

    def __init__(self, settings, record, arena, number, env_incarnation, lane):
        self.tick = 0
        self._settings = settings
        self._record = record
        self._place = (number, arena, lane)
        self._env_incarnation = env_incarnation
        games, agents = settings.games, settings.agents
        self._actions = np.zeros((games, agents), np.uint8)
        self._is_first = np.zeros(games, np.bool_)
        self._pixels = np.zeros((agents, games, VIEW, VIEW), np.uint8)
        self._reward = np.zeros((agents, games), np.float32)
        self._visible = np.zeros((agents, games, agents), np.bool_)
        self._observe()

    def step(self, actions):
        """Step all games; no episode is ever reported."""
        self._record.on_acts(self._env_incarnation, self._place, self.tick, actions)
        assert actions.max() < ACTIONS
        self._actions = actions.copy()
        self.tick += 1
        self._observe()
        return []

    def timesteps(self):
        """[N] the timestep of each agent; the next `step` overwrites its arrays."""
        return [
            Timestep(
                self._env_incarnation,
                self._place[2],
                self.tick,
                self._pixels[agent],
                self._is_first,
                self._reward[agent],
                self._actions,
                self._visible[agent],
            )
            for agent in range(self._settings.agents)
        ]

    def _observe(self):
        """Overwrite what is observed, in place."""
        number, arena, lane = self._place
        games, agents, tick = self._settings.games, self._settings.agents, self.tick
        horizon = self._settings.horizon
        self._is_first[:] = [(tick + game) % horizon == 0 for game in range(games)]
        seen = []
        for agent in range(agents):
            view = b"".join(
                VIEW_HEADER.pack(number, arena, lane, agent, tick, game) for game in range(games)
            )
            self._pixels[agent].reshape(-1)[:] = np.frombuffer(view, np.uint8)
            first_reward = self._record.new_rewards(games) if tick else 0
            rewards = [first_reward + game if tick else 0 for game in range(games)]
            self._reward[agent] = rewards
            visible = bytes((tick >> (agent + other)) & 1 for other in range(agents)) * games
            self._visible[agent].reshape(-1)[:] = np.frombuffer(visible, np.bool_)
            seen.append((view, rewards, visible))
        self._record.on_tick(
            self._env_incarnation, lane, self._actions.tobytes(), self._is_first.tobytes(), seen
        )
