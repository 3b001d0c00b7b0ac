"""The games as PettingZoo ParallelEnvs, one game per environment.

    from ssd_envs import parallel

    env = parallel.cleanup(agents=5, render_mode="rgb_array")
    observations, infos = env.reset(seed=1)

Needs the extra `pettingzoo`: `pip install 'ssd-influence[pettingzoo]'`. To step many games at
once, use `ssd_envs.batch.GameBatch` instead.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from pydantic_core import ErrorDetails

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
ObservationFormat = Literal["rgb", "palette"]

_PIXELS_PER_CELL = 16  # of a rendered frame


def cleanup(
    *,
    render_mode: RenderMode | None = None,
    observations: ObservationFormat = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """Cleanup as a ParallelEnv; `settings` are fields of `GameSettings`."""
    return parallel_env("cleanup", render_mode=render_mode, observations=observations, **settings)


def harvest(
    *,
    render_mode: RenderMode | None = None,
    observations: ObservationFormat = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """Harvest as a ParallelEnv; `settings` are fields of `GameSettings`."""
    return parallel_env("harvest", render_mode=render_mode, observations=observations, **settings)


def box_trapped(
    *,
    render_mode: RenderMode | None = None,
    observations: ObservationFormat = "rgb",
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
    observations: ObservationFormat = "rgb",
    **settings: Any,
) -> SocialDilemma:
    """A game by its name in run files; `settings` are the other fields of `GameSettings`.

    Raises:
        ValueError: if an argument is unknown or invalid; the message gives what was wanted and what
            was found.
    """
    try:
        game = GameSettings.model_validate({"name": name, **settings})
    except ValidationError as error:
        problems = [_describe_problem(problem, name) for problem in error.errors()]
        raise ValueError("\n".join(problems)) from None
    return SocialDilemma(game, render_mode=render_mode, observations=observations)


def _describe_problem(problem: ErrorDetails, name: str) -> str:
    """One of pydantic's errors as what was wanted and what was found."""
    argument = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        known = [*GameSettings.model_fields, "observations", "render_mode"]
        known.remove("name")
        similar = difflib.get_close_matches(argument, known, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"wanted {', '.join(known)}"
        return f"{name} has no setting {argument!r}: {hint}"
    if problem["type"] == "value_error":
        reason = str(problem["ctx"]["error"])
        return f"{argument}: {reason}" if argument else reason
    wanted = re.sub(r"^\w+ should (be|have) ", "", problem["msg"])
    wanted = re.sub(r"(,| after validation,) (unable|got|not) .*", "", wanted)
    return f"{argument}: wanted {wanted}, found {problem['input']!r:.200}"


class SocialDilemma(ParallelEnv[str, Observation, int]):  # type: ignore[misc]  # untyped library
    """One game, in which all agents act at once.

    Agents are named `agent_0` to `agent_{N-1}`. Each observes its window, rotated so that its
    heading points up, as RGB (uint8 [V, V, 3]) or as palette indices (uint8 [V, V]). Its info has
    `visible` (bool [N]: which agents it sees, itself included) and what it did in the episode so
    far, by the names of `EVENTS`. The horizon is part of the game, so an episode terminates there
    and is never truncated.

    Attributes:
        spec: sizes, names, colours, map.
    """

    def __init__(
        self,
        settings: GameSettings,
        *,
        render_mode: RenderMode | None = None,
        observations: ObservationFormat = "rgb",
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be 'rgb_array' or None, not {render_mode!r}")
        if observations not in ("rgb", "palette"):
            raise ValueError(f"observations must be 'rgb' or 'palette', not {observations!r}")
        self.metadata = {
            "name": f"{settings.name}_v0",
            "render_modes": ["rgb_array"],
            "render_fps": 10,
        }
        self.render_mode = render_mode
        self._batch = GameBatch(settings, num_games=1)
        self.spec = self._batch.spec
        self._as_rgb = observations == "rgb"
        self._seed_rng = np.random.default_rng()
        self.possible_agents = [f"agent_{k}" for k in range(self.spec.num_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {name: self._view_space() for name in self.possible_agents}
        self.action_spaces = {
            name: spaces.Discrete(self.spec.num_actions) for name in self.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Box:
        """The observation space of an agent; always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """The action space of an agent, named in `spec.action_names`; always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Start an episode.

        Args:
            seed: of this and all later episodes. None continues from the last seed; if there was
                none, episodes are not reproducible.
            options: ignored; there are none.

        Returns:
            Observations and infos, by agent.
        """
        del options
        if seed is not None:
            self._seed_rng = np.random.default_rng(seed)
        self._batch.reset(self._seed_rng.integers(2**64, size=1, dtype=np.uint64))
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
            actions: the number of each agent's action, by agent.

        Returns:
            Observations, rewards, terminations, truncations and infos, by agent.

        Raises:
            ValueError: if no episode is running, an agent's action is missing, or an action is not
                one of the game's.
        """
        if not self.agents:
            raise ValueError("no episode is running: reset before a step")
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
        """A picture of the whole board: uint8 [height, width, 3] RGB, 16 pixels per cell."""
        if self.render_mode is None:
            logger.warn("render() was called, but the environment was made without a render_mode")
            return None
        frame: npt.NDArray[np.uint8] = self.spec.palette[self._batch.board_pixels(0)]
        return frame.repeat(_PIXELS_PER_CELL, axis=0).repeat(_PIXELS_PER_CELL, axis=1)

    def _view_space(self) -> spaces.Box:
        view = self.spec.view
        if self._as_rgb:
            return spaces.Box(0, 255, (view, view, 3), np.uint8)
        return spaces.Box(0, len(self.spec.palette) - 1, (view, view), np.uint8)

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
