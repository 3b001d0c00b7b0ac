"""The games behind PettingZoo's ParallelEnv, one game at a time.

    from ssd_envs import parallel

    env = parallel.cleanup(agents=5, render_mode="rgb_array")
    observations, infos = env.reset(seed=1)

Needs the extra `pettingzoo`: `pip install 'ssd-influence[pettingzoo]'`. Whoever needs speed steps a
`GameBatch` instead.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ssd_envs.batch import GameBatch
from ssd_envs.spec import EVENTS, GameSettings

try:
    from gymnasium import logger, spaces
    from pettingzoo import ParallelEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "ssd_envs.parallel needs PettingZoo and Gymnasium: pip install 'ssd-influence[pettingzoo]'"
    ) from error

Observation = npt.NDArray[np.uint8]
Info = dict[str, Any]
RenderMode = Literal["rgb_array"]
Form = Literal["rgb", "palette"]

_CELL = 16  # pixels per cell of a rendered frame


def cleanup(
    *,
    render_mode: RenderMode | None = None,
    observations: Form = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """Cleanup as a ParallelEnv; `settings` are fields of `GameSettings`."""
    return parallel_env("cleanup", render_mode=render_mode, observations=observations, **settings)


def harvest(
    *,
    render_mode: RenderMode | None = None,
    observations: Form = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """Harvest as a ParallelEnv; `settings` are fields of `GameSettings`."""
    return parallel_env("harvest", render_mode=render_mode, observations=observations, **settings)


def box_trapped(
    *,
    render_mode: RenderMode | None = None,
    observations: Form = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """Box Trapped as a ParallelEnv; `settings` are fields of `GameSettings`."""
    return parallel_env(
        "box-trapped", render_mode=render_mode, observations=observations, **settings
    )


def parallel_env(
    name: str,
    *,
    render_mode: RenderMode | None = None,
    observations: Form = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """A game by its name in run files; `settings` are the other fields of `GameSettings`.

    Raises:
        ValueError: if the settings are refused.
    """
    chosen = GameSettings.model_validate({"name": name, **settings})
    return SocialDilemma(chosen, render_mode=render_mode, observations=observations)


class SocialDilemma(ParallelEnv[str, Observation, int]):  # type: ignore[misc]  # untyped library
    """One game, all agents acting at once.

    Agents are named `agent_0` to `agent_{N-1}`. Each observes its window, turned so that its
    heading points up, as RGB (uint8 [V, V, 3]) or as palette indices (uint8 [V, V]). Its info holds
    `visible` (bool [N]: whom it sees, itself included) and, by the names of `EVENTS`, what it did
    in the episode so far. The horizon is part of the game, so an episode terminates there and is
    never truncated.

    Attributes:
        spec: sizes, names, colours, map.
    """

    def __init__(
        self,
        settings: GameSettings,
        *,
        render_mode: RenderMode | None = None,
        observations: Form = "rgb",
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is 'rgb_array' or None, not {render_mode!r}")
        if observations not in ("rgb", "palette"):
            raise ValueError(f"observations are 'rgb' or 'palette', not {observations!r}")
        self.metadata = {
            "name": f"{settings.name}_v0",
            "render_modes": ["rgb_array"],
            "render_fps": 10,
        }
        self.render_mode = render_mode
        self._batch = GameBatch(settings, games=1)
        self.spec = self._batch.spec
        self._as_rgb = observations == "rgb"
        self._seeds = np.random.default_rng()
        self.possible_agents = [f"agent_{k}" for k in range(self.spec.num_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {name: self._view_space() for name in self.possible_agents}
        self.action_spaces = {
            name: spaces.Discrete(self.spec.num_actions) for name in self.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Box:
        """What this agent may observe; always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """What this agent may do, by number (see `spec.action_names`); always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Start an episode.

        Args:
            seed: where the luck of this and all further episodes follows from; None goes on from
                the last seed, or, if there was none, from anywhere.
            options: none are known; ignored.

        Returns:
            Observations and infos, by agent.
        """
        del options
        if seed is not None:
            self._seeds = np.random.default_rng(seed)
        self._batch.reset(self._seeds.integers(2**64, size=1, dtype=np.uint64))
        self._batch.observe()
        self.agents = list(self.possible_agents)
        return self._observations(), self._infos()

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, Info],
    ]:
        """Play one step.

        Args:
            actions: what each agent does, by number.

        Returns:
            Observations, rewards, terminations, truncations and infos, by agent.

        Raises:
            ValueError: if there is no episode, an agent's action is missing, or it is none of the
                game's.
        """
        if not self.agents:
            raise ValueError("there is no episode: reset before a step")
        self._batch.step(self._joint_action(actions))
        self._batch.observe()
        ended = bool(self._batch.ended[0])
        rewards = {name: float(self._batch.reward[k, 0]) for k, name in enumerate(self.agents)}
        terminations = dict.fromkeys(self.agents, ended)
        truncations = dict.fromkeys(self.agents, False)
        observations, infos = self._observations(), self._infos()
        if ended:
            self.agents = []
        return observations, rewards, terminations, truncations, infos

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The whole board as it looks now: uint8 [height, width, 3], 16 pixels per cell."""
        if self.render_mode is None:
            logger.warn("render() was called, but the environment was made without a render_mode")
            return None
        frame: npt.NDArray[np.uint8] = self.spec.palette[self._batch.picture(0)]
        return frame.repeat(_CELL, axis=0).repeat(_CELL, axis=1)

    def _view_space(self) -> spaces.Box:
        view, top = self.spec.view, len(self.spec.palette) - 1
        if self._as_rgb:
            return spaces.Box(0, 255, (view, view, 3), np.uint8)
        return spaces.Box(0, top, (view, view), np.uint8)

    def _joint_action(self, actions: dict[str, int]) -> npt.NDArray[np.uint8]:
        if missing := [name for name in self.agents if name not in actions]:
            raise ValueError(f"no action for {', '.join(missing)}")
        for name in self.agents:
            if not self.action_spaces[name].contains(actions[name]):
                wanted = f"0 to {self.spec.num_actions - 1}"
                raise ValueError(f"{name}: the action must be {wanted}, not {actions[name]!r}")
        return np.array([[actions[name] for name in self.agents]], np.uint8)

    def _observations(self) -> dict[str, Observation]:
        pixels = self._batch.pixels[:, 0]
        views = self.spec.palette[pixels] if self._as_rgb else pixels.copy()
        return dict(zip(self.agents, views, strict=True))

    def _infos(self) -> dict[str, Info]:
        return {
            name: {
                "visible": self._batch.visible[k, 0].copy(),
                **dict(zip(EVENTS, self._batch.counts[0, k].tolist(), strict=True)),
            }
            for k, name in enumerate(self.agents)
        }
