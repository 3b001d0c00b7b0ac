"""Many games of one kind, stepped together. Start here: `GameBatch.step` is the order of a turn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.beams import fire
from ssd_envs.kernels.moves import eat, move
from ssd_envs.kernels.spawn import spawn
from ssd_envs.kernels.views import draw, overlay
from ssd_envs.layout import Layout, turns
from ssd_envs.palette import AGENT, CLEANING_BEAM, EMPTY, FINING_BEAM
from ssd_envs.rules.interface import Boards, make_rules
from ssd_envs.spec import EVENTS, VIEW, GameSettings, game_spec
from ssd_envs.state import GameState

Bytes = npt.NDArray[np.uint8]

_BEAMS = {"fire": FINING_BEAM, "clean": CLEANING_BEAM}


class GameBatch:
    """B games as arrays.

    All arrays below are allocated once and written in place by `reset`, `step`, `observe` and
    `restore`: copy what must last. A fresh batch waits for its first reset: all its games have
    ended. Games know nothing of each other: same seed and same actions make the same episode, bit
    for bit, whatever B and whichever place in the batch. One thread at a time may use a batch; the
    kernels let go of the GIL.

    Attributes:
        spec: sizes, names, colours, map.
        games: B.
        pixels: uint8 [N, B, V, V] what each agent saw at the last `observe`, as palette indices,
            turned so that its heading points up.
        visible: bool [N, B, N] whether agent k had agent j in its view; true for j = k.
        reward: float32 [N, B] of the last step, also after a reset.
        clock: int32 [B] steps into the episode.
        ended: bool [B] whether the clock has reached the horizon.
        returns: float64 [B, N] of the episode so far.
    """

    def __init__(self, settings: GameSettings, games: int) -> None:
        """Set up boards for so many games.

        Raises:
            ValueError: if there is not at least one game, or no rules where the game names them.
        """
        if games < 1:
            raise ValueError(f"a batch has at least 1 game, not {games}")
        self.spec = game_spec(settings)
        self.games = games
        self._settings = settings
        self._layout = Layout(self.spec.map)
        self._rules = make_rules(settings, self._layout)
        self._make_tables()
        self._make_arrays()
        self.reset(np.zeros(games, np.uint64))
        self.clock[:] = self.spec.horizon
        self.ended[:] = True

    def _make_tables(self) -> None:
        names = self.spec.action_names
        self._steps = self._layout.moves(names)
        self._turns = turns(names)
        self._beam_of_action = np.array([_BEAMS.get(name, EMPTY) for name in names], np.uint8)
        self._starts = self._layout.cell(*self.spec.map.starts().T)
        self._first_cells = np.zeros(self._layout.size, np.uint8)
        self._layout.inner(self._first_cells)[...] = self._rules.first_cells()

    def _make_arrays(self) -> None:
        b, n, size = self.games, self.spec.num_agents, self._layout.size
        self.pixels = np.zeros((n, b, VIEW, VIEW), np.uint8)
        self.visible = np.zeros((n, b, n), np.bool_)
        self.reward = np.zeros((n, b), np.float32)
        self.clock = np.zeros(b, np.int32)
        self.ended = np.zeros(b, np.bool_)
        self.returns = np.zeros((b, n))
        self._counts = np.zeros((len(EVENTS), b, n), np.int64)
        self._actions = np.zeros((b, n), np.uint8)
        self._cells = np.zeros((b, size), np.uint8)
        self._agents = np.zeros((b, size), np.uint8)
        self._beams = np.zeros((b, size), np.uint8)
        self._place = np.zeros((b, n), np.int64)
        self._heading = np.zeros((b, n), np.int64)
        self._random = np.zeros(b, np.uint64)
        self._canvas = np.zeros(size, np.uint8)
        self._agent_workspace = np.zeros(n, np.int64)
        self._spawn_workspace = np.zeros_like(self._starts)
        self._boards = Boards(
            actions=self._actions,
            cells=self._cells,
            agents=self._agents,
            place=self._place,
            heading=self._heading,
            random=self._random,
            clock=self.clock,
            reward=self.reward,
            counts=self._counts,
        )

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """What each agent did in the episode so far, in the order of `EVENTS`: int64 [B, N, E].

        A view made anew each time: one kept as an attribute would be an array of its own in a copy.
        """
        return np.moveaxis(self._counts, 0, -1)

    def reset(
        self,
        seeds: npt.NDArray[np.uint64],
        games: npt.NDArray[np.int64] | None = None,
        clock: npt.NDArray[np.int32] | None = None,
    ) -> None:
        """Start new episodes.

        Args:
            seeds: uint64 [M] what each episode's luck follows from.
            games: int [M] which games, each at most once; all B in order if None.
            clock: int [M] the steps that count as done already, below the horizon; 0 if None.

        Raises:
            ValueError: if an argument has another shape or dtype, or a number is out of range.
        """
        which = self._which(games)
        if seeds.shape != which.shape or seeds.dtype != np.uint64:
            raise ValueError(f"seeds must be uint64 [{which.size}], not {_what(seeds)}")
        start = np.zeros(which.size, np.int32) if clock is None else np.asarray(clock)
        if start.shape != which.shape or start.dtype.kind not in "iu":
            raise ValueError(f"clock must be int [{which.size}], not {_what(start)}")
        if ((start < 0) | (start >= self.spec.horizon)).any():
            raise ValueError(f"an episode starts at 0 to {self.spec.horizon - 1}, not {start}")
        spawn(
            which,
            np.array(seeds),
            self._first_cells,
            self._starts,
            self.spec.map.numbered,
            self._cells,
            self._agents,
            self._beams,
            self._place,
            self._heading,
            self._random,
            self._spawn_workspace,
        )
        self.clock[which] = start
        self.ended[which] = False
        self.returns[which] = 0
        self._counts[:, which] = 0

    def step(self, actions: npt.NDArray[np.uint8]) -> None:
        """Play one step in all games. Views stay as they were until `observe`.

        Args:
            actions: uint8 [B, N] what each agent does, by number.

        Raises:
            ValueError: if actions have another shape or dtype, an action is not one of the game's,
                or a game has ended and was not reset.
        """
        self._take(actions)
        self.reward[...] = 0
        self._move()
        eat(self._cells, self._place, self.reward, self._counts[0])
        self._fire()
        self._rules.act(self._boards)
        self._rules.grow(self._boards)
        self.clock += 1
        np.equal(self.clock, self.spec.horizon, out=self.ended)
        self.returns += self.reward.T

    def _take(self, actions: npt.NDArray[np.uint8]) -> None:
        if actions.shape != self._actions.shape or actions.dtype != np.uint8:
            wanted = f"uint8 {list(self._actions.shape)}"
            raise ValueError(f"actions must be {wanted}, not {_what(actions)}")
        if actions.max() >= self.spec.num_actions:
            game, agent = np.argwhere(actions >= self.spec.num_actions)[0]
            raise ValueError(
                f"{self.spec.name} has actions 0 to {self.spec.num_actions - 1}; "
                f"agent {agent} of game {game} did {actions[game, agent]}"
            )
        if self.ended.any():
            raise ValueError(f"game {self.ended.argmax()} has ended: reset it before a step")
        self._actions[...] = actions

    def _move(self) -> None:
        move(
            self._actions,
            self._steps,
            self._turns,
            self._cells,
            self._agents,
            self._place,
            self._heading,
            self._random,
            self._agent_workspace,
        )

    def _fire(self) -> None:
        _, fires, hits, cleaned, _ = self._counts
        fire(
            self._actions,
            self._beam_of_action,
            self._layout.forward,
            self._settings.beam_length,
            self._settings.fire_cost,
            self._settings.fine,
            self._cells,
            self._agents,
            self._beams,
            self._place,
            self._heading,
            self._random,
            self.reward,
            fires,
            hits,
            cleaned,
            self._agent_workspace,
        )

    def observe(self) -> None:
        """Draw `pixels` and `visible` of all games as they stand."""
        draw(
            self._layout.forward,
            self._layout.stride,
            self._cells,
            self._agents,
            self._beams,
            self._place,
            self._heading,
            self._canvas,
            self.pixels,
            self.visible,
        )

    def picture(self, game: int) -> Bytes:
        """A game's whole board as it looks, as palette indices: uint8 [height, width], a copy."""
        overlay(self._cells[game], self._agents[game], self._beams[game], self._canvas)
        return self._layout.inner(self._canvas).copy()

    def state(self, games: npt.NDArray[np.int64] | None = None) -> GameState:
        """The whole state of some games, or of all in order: a copy that `restore` can set."""
        which = self._which(games)
        return GameState(
            cells=self._layout.inner(self._cells)[which],
            beams=self._layout.inner(self._beams)[which],
            places=self._layout.row_and_column(self._place[which]),
            headings=self._heading[which],
            random=self._random[which],
            clock=self.clock[which],
            returns=self.returns[which],
            counts=self.counts[which],
        )

    def restore(self, state: GameState, games: npt.NDArray[np.int64] | None = None) -> None:
        """Set the whole state of some games, or of all in order; each goes on from there.

        Raises:
            ValueError: if the state is not one of so many games of this kind on this map.
        """
        which = self._which(games)
        state.check(self.spec)
        if len(state.cells) != which.size:
            raise ValueError(f"a state of {len(state.cells)} games cannot be set in {which.size}")
        self._layout.inner(self._cells)[which] = state.cells
        self._layout.inner(self._beams)[which] = state.beams
        self._place[which] = self._layout.cell(state.places[..., 0], state.places[..., 1])
        self._agents[which] = EMPTY
        numbers = AGENT + np.arange(self.spec.num_agents)
        self._agents[which[:, None], self._place[which]] = numbers
        self._heading[which] = state.headings
        self._random[which] = state.random
        self.clock[which] = state.clock
        self.ended[which] = state.clock == self.spec.horizon
        self.returns[which] = state.returns
        self._counts[:, which] = np.moveaxis(state.counts, -1, 0)

    def _which(self, games: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
        if games is None:
            return np.arange(self.games)
        which = np.array(games)
        if which.ndim != 1 or which.dtype.kind not in "iu":
            raise ValueError(f"games must be int [M], not {_what(which)}")
        if ((which < 0) | (which >= self.games)).any() or len(set(which.tolist())) < which.size:
            raise ValueError(f"games must be distinct, of 0 to {self.games - 1}, not {which}")
        return which.astype(np.int64)


def _what(array: npt.NDArray[np.generic]) -> str:
    return f"{array.dtype} {list(array.shape)}"
