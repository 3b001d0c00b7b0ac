"""Many games with the same settings, stepped together.

Start reading at `GameBatch.step`: it shows the order of events within a step.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.beams import fire_beams
from ssd_envs.kernels.moves import eat_apples, move_agents
from ssd_envs.kernels.spawn import spawn_agents
from ssd_envs.kernels.views import draw_board, draw_views
from ssd_envs.layout import Layout, quarter_turns
from ssd_envs.palette import AGENT, CLEANING_BEAM, EMPTY, FINING_BEAM
from ssd_envs.rules.interface import Boards, make_rules
from ssd_envs.spec import EVENTS, VIEW, GameSettings, game_spec
from ssd_envs.state import GameState

Bytes = npt.NDArray[np.uint8]

_BEAMS = {"fire": FINING_BEAM, "clean": CLEANING_BEAM}


class GameBatch:
    """B games as arrays.

    The arrays below are allocated once and overwritten by `reset`, `step`, `observe` and `restore`:
    copy what you keep. In a new batch all games have ended and must be reset first. The games are
    independent: the same seed and actions give the same episode, bit for bit, whatever the batch
    size and the index in the batch. A batch is not thread-safe. The kernels release the GIL.

    Attributes:
        spec: sizes, names, colours, map.
        num_games: B.
        pixels: uint8 [N, B, V, V] what each agent saw at the last `observe`, as palette indices,
            rotated so that its heading points up.
        visible: bool [N, B, N] whether agent k saw agent j then; true for j = k.
        reward: float32 [N, B] of the last step; unchanged by `reset`.
        episode_step: int32 [B] steps of the episode so far.
        ended: bool [B] whether the episode has reached the horizon.
        returns: float64 [B, N] of the episode so far.
    """

    def __init__(self, settings: GameSettings, num_games: int) -> None:
        """Allocate the boards.

        Raises:
            ValueError: if there is not at least one game, or the game's rules cannot be imported.
        """
        if num_games < 1:
            raise ValueError(f"a batch must have at least 1 game, not {num_games}")
        self.spec = game_spec(settings)
        self.num_games = num_games
        self._settings = settings
        self._layout = Layout(self.spec.map)
        self._rules = make_rules(settings, self._layout)
        self._make_tables()
        self._make_arrays()
        self.reset(np.zeros(num_games, np.uint64))
        self.episode_step[:] = self.spec.horizon
        self.ended[:] = True

    def _make_tables(self) -> None:
        names = self.spec.action_names
        self._move_offsets = self._layout.move_offsets(names)
        self._quarter_turns = quarter_turns(names)
        self._beam_of_action = np.array([_BEAMS.get(name, EMPTY) for name in names], np.uint8)
        self._start_cells = self._layout.cells_at(*self.spec.map.start_positions().T)
        self._initial_contents = np.zeros(self._layout.size, np.uint8)
        board = self._layout.without_padding(self._initial_contents)
        board[...] = self._rules.initial_contents()

    def _make_arrays(self) -> None:
        b, n, size = self.num_games, self.spec.num_agents, self._layout.size
        self.pixels = np.zeros((n, b, VIEW, VIEW), np.uint8)
        self.visible = np.zeros((n, b, n), np.bool_)
        self.reward = np.zeros((n, b), np.float32)
        self.episode_step = np.zeros(b, np.int32)
        self.ended = np.zeros(b, np.bool_)
        self.returns = np.zeros((b, n))
        self._counts = np.zeros((len(EVENTS), b, n), np.int64)
        self._actions = np.zeros((b, n), np.uint8)
        self._contents = np.zeros((b, size), np.uint8)
        self._occupants = np.zeros((b, size), np.uint8)
        self._beams = np.zeros((b, size), np.uint8)
        self._position = np.zeros((b, n), np.int64)
        self._heading = np.zeros((b, n), np.int64)
        self._rng_state = np.zeros(b, np.uint64)
        self._board_workspace = np.zeros(size, np.uint8)
        self._agent_workspace = np.zeros(n, np.int64)
        self._spawn_workspace = np.zeros_like(self._start_cells)
        self._boards = Boards(
            actions=self._actions,
            contents=self._contents,
            occupants=self._occupants,
            position=self._position,
            heading=self._heading,
            rng_state=self._rng_state,
            episode_step=self.episode_step,
            reward=self.reward,
            counts=self._counts,
        )

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """What each agent did in the episode so far, in the order of `EVENTS`: int64 [B, N, E].

        A view, made at each call: stored as an attribute, it would become a separate array when a
        batch is copied or pickled.
        """
        return np.moveaxis(self._counts, 0, -1)

    def reset(
        self,
        seeds: npt.NDArray[np.uint64],
        indices: npt.NDArray[np.int64] | None = None,
        episode_step: npt.NDArray[np.int32] | None = None,
    ) -> None:
        """Start new episodes.

        Args:
            seeds: uint64 [M] of the episodes.
            indices: int [M] which games, each at most once; all B in order if None.
            episode_step: int [M] the steps that count as done already, below the horizon; 0 if
                None.

        Raises:
            ValueError: if an argument has another shape or dtype, or a number is out of range.
        """
        indices = self._check_indices(indices)
        if seeds.shape != indices.shape or seeds.dtype != np.uint64:
            raise ValueError(f"seeds must be uint64 [{indices.size}], not {_describe(seeds)}")
        start = np.zeros(indices.size, np.int32) if episode_step is None else episode_step
        self._check_start(start, indices.size)
        spawn_agents(
            indices,
            np.array(seeds),
            self._initial_contents,
            self._start_cells,
            self.spec.map.numbered_starts,
            self._contents,
            self._occupants,
            self._beams,
            self._position,
            self._heading,
            self._rng_state,
            self._spawn_workspace,
        )
        self.episode_step[indices] = start
        self.ended[indices] = False
        self.returns[indices] = 0
        self._counts[:, indices] = 0

    def step(self, actions: npt.NDArray[np.uint8]) -> None:
        """Play one step in all games. Pixels and visible do not change until `observe`.

        Args:
            actions: uint8 [B, N] the number of each agent's action.

        Raises:
            ValueError: if actions have another shape or dtype, an action is not one of the game's,
                or a game has ended and was not reset.
        """
        self._check_actions(actions)
        self._actions[...] = actions
        self.reward[...] = 0
        self._move_agents()
        eat_apples(self._contents, self._position, self.reward, self._counts[0])
        self._fire_beams()
        self._rules.apply_actions(self._boards)
        self._rules.grow(self._boards)
        self.episode_step += 1
        np.equal(self.episode_step, self.spec.horizon, out=self.ended)
        self.returns += self.reward.T

    def _move_agents(self) -> None:
        move_agents(
            self._actions,
            self._move_offsets,
            self._quarter_turns,
            self._contents,
            self._occupants,
            self._position,
            self._heading,
            self._rng_state,
            self._agent_workspace,
        )

    def _fire_beams(self) -> None:
        _, fires, hits, cleaned, _ = self._counts
        fire_beams(
            self._actions,
            self._beam_of_action,
            self._layout.forward_offset,
            self._settings.beam_length,
            self._settings.fire_cost,
            self._settings.fine,
            self._contents,
            self._occupants,
            self._beams,
            self._position,
            self._heading,
            self._rng_state,
            self.reward,
            fires,
            hits,
            cleaned,
            self._agent_workspace,
        )

    def observe(self) -> None:
        """Draw `pixels` and compute `visible` for the current state of all games."""
        draw_views(
            self._layout.forward_offset,
            self._layout.stride,
            self._contents,
            self._occupants,
            self._beams,
            self._position,
            self._heading,
            self._board_workspace,
            self.pixels,
            self.visible,
        )

    def board_pixels(self, index: int) -> Bytes:
        """A picture of a game's whole board, as palette indices: uint8 [height, width]."""
        board = self._board_workspace
        draw_board(self._contents[index], self._occupants[index], self._beams[index], board)
        return self._layout.without_padding(board).copy()

    def state(self, indices: npt.NDArray[np.int64] | None = None) -> GameState:
        """The whole state of some games, or of all in order: a copy that `restore` accepts."""
        indices = self._check_indices(indices)
        return GameState(
            contents=self._layout.without_padding(self._contents)[indices],
            beams=self._layout.without_padding(self._beams)[indices],
            positions=self._layout.rows_and_columns(self._position[indices]),
            headings=self._heading[indices],
            rng_state=self._rng_state[indices],
            episode_step=self.episode_step[indices],
            returns=self.returns[indices],
            counts=self.counts[indices],
        )

    def restore(self, state: GameState, indices: npt.NDArray[np.int64] | None = None) -> None:
        """Set the whole state of some games, or of all in order.

        Raises:
            ValueError: if the state is not one of so many games of this kind on this map.
        """
        indices = self._check_indices(indices)
        state.check(self.spec)
        if len(state.contents) != indices.size:
            raise ValueError(
                f"a state of {len(state.contents)} games cannot be restored into {indices.size}"
            )
        self._layout.without_padding(self._contents)[indices] = state.contents
        self._layout.without_padding(self._beams)[indices] = state.beams
        rows, columns = state.positions[..., 0], state.positions[..., 1]
        self._position[indices] = self._layout.cells_at(rows, columns)
        self._occupants[indices] = EMPTY
        agents = AGENT + np.arange(self.spec.num_agents)
        self._occupants[indices[:, None], self._position[indices]] = agents
        self._heading[indices] = state.headings
        self._rng_state[indices] = state.rng_state
        self.episode_step[indices] = state.episode_step
        self.ended[indices] = state.episode_step == self.spec.horizon
        self.returns[indices] = state.returns
        self._counts[:, indices] = np.moveaxis(state.counts, -1, 0)

    def _check_actions(self, actions: npt.NDArray[np.uint8]) -> None:
        if actions.shape != self._actions.shape or actions.dtype != np.uint8:
            wanted = f"uint8 {list(self._actions.shape)}"
            raise ValueError(f"actions must be {wanted}, not {_describe(actions)}")
        if actions.max() >= self.spec.num_actions:
            game, agent = np.argwhere(actions >= self.spec.num_actions)[0]
            raise ValueError(
                f"{self.spec.name} has actions 0 to {self.spec.num_actions - 1}; the action of "
                f"agent {agent} of game {game} is {actions[game, agent]}"
            )
        if self.ended.any():
            raise ValueError(f"game {self.ended.argmax()} has ended: reset it before a step")

    def _check_start(self, start: npt.NDArray[np.int32], size: int) -> None:
        start = np.asarray(start)
        if start.shape != (size,) or start.dtype.kind not in "iu":
            raise ValueError(f"episode_step must be int [{size}], not {_describe(start)}")
        if ((start < 0) | (start >= self.spec.horizon)).any():
            last = self.spec.horizon - 1
            raise ValueError(f"an episode starts at step 0 to {last}, not {start}")

    def _check_indices(self, indices: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
        if indices is None:
            return np.arange(self.num_games)
        checked = np.array(indices)
        if checked.ndim != 1 or checked.dtype.kind not in "iu":
            raise ValueError(f"indices must be int [M], not {_describe(checked)}")
        out_of_range = (checked < 0) | (checked >= self.num_games)
        if out_of_range.any() or len(set(checked.tolist())) < checked.size:
            last = self.num_games - 1
            raise ValueError(f"indices must be distinct and from 0 to {last}, not {checked}")
        return checked.astype(np.int64)


def _describe(array: npt.NDArray[np.generic]) -> str:
    return f"{array.dtype} {list(array.shape)}"
