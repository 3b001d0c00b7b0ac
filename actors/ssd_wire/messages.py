"""All messages between processes. Creating an invalid one raises ValueError.

The axes, such as B games in a lane and N agents, are described by `ssd_wire.dims.Dims`. An array
with an axis that has length 0 in a run, or for an agent, is None.

`PROTOCOL.md` beside this file describes the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np

from ssd_wire.fields import Axes, Below, check_fields

Array = np.ndarray

MAX_LANES = 64  # in an arena
LARGEST_FLOAT = 1e6  # of rewards and states; a learner's arithmetic in float32 stays finite
LARGEST_LOG_PROB = 1e-4  # 0, up to rounding


def floats(axes: str, present_if: str = "") -> Axes:
    """Rewards or recurrent states."""
    return Axes("float32", axes, "", present_if, -LARGEST_FLOAT, LARGEST_FLOAT)


def log_probs(axes: str, present_if: str = "") -> Axes:
    """Natural log-probabilities. The least stands for a probability of 0: exp(−10⁶) is 0."""
    return Axes("float32", axes, "", present_if, -LARGEST_FLOAT, LARGEST_LOG_PROB)


Lane = Annotated[int, Below(MAX_LANES)]


@dataclass(frozen=True, eq=False)
class Message:
    """Checks the fields of every message when it is created."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def checked(cls, fields: Mapping[str, Any]) -> Self:
        """A message of fields that the decoder has checked already."""
        message = cls.__new__(cls)
        vars(message).update(fields)
        return message


@dataclass(frozen=True, eq=False)
class Join(Message):
    """Actor to environment: asks for the seat of an agent."""

    agent: int
    actor_incarnation: int  # random per actor process
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Seat(Message):
    """Environment to actor: confirms the seat, and describes the environment."""

    env_incarnation: int
    agents: int
    actions: int
    symbols: int  # V; 0 for none
    lanes: int
    games: int
    horizon: int
    view: int
    palette: Annotated[Array, Axes("uint8", "P 3")]


@dataclass(frozen=True, eq=False)
class Timestep(Message):
    """Environment to actor: agent k's observations in B games, and what all agents just did.

    Where `is_first` is true, pixels, visible and the leaders' fields belong to the new episode;
    reward, actions, symbols, responses and all_rewards to the last step of the old one.
    """

    env_incarnation: int
    lane: Lane
    tick: int
    pixels: Annotated[Array, Axes("uint8", "B W W", below="P")]  # palette indices
    is_first: Annotated[Array, Axes("bool", "B")]
    reward: Annotated[Array, floats("B")]  # agent k's, for its last action
    actions: Annotated[Array, Axes("uint8", "B N", below="A")]  # all agents' last actions
    visible: Annotated[Array, Axes("bool", "B N")]  # whether agent j is in these pixels
    symbols: Annotated[Array | None, Axes("uint8", "B N", below="V", present_if="V")] = None
    # What k's leaders do in this step, and the log-probabilities that they chose from.
    leader_actions: Annotated[Array | None, Axes("uint8", "B L", below="A", present_if="L")] = None
    leader_log_probs: Annotated[Array | None, log_probs("B Q A", present_if="Q")] = None
    # Log-probabilities of j's actions in the last step, had k chosen alternative c: another action
    # in that step (§4), or another symbol in the step before (§5).
    responses: Annotated[Array | None, log_probs("B J C A", present_if="J")] = None
    # Of all agents, for their last actions.
    all_rewards: Annotated[Array | None, floats("B R", present_if="R")] = None


@dataclass(frozen=True, eq=False)
class Act(Message):
    """Actor to environment: agent k's answer to the timestep of this lane and tick."""

    env_incarnation: int
    lane: Lane
    tick: int
    learner_complete: bool  # k's learner has met its budget and trains no more
    action: Annotated[Array, Axes("uint8", "B", below="A")]
    symbol: Annotated[Array | None, Axes("uint8", "B", below="V", present_if="V")] = None
    # Log-probabilities of k's policy, and of its actions had each of K agents chosen alternative c.
    log_probs: Annotated[Array | None, log_probs("B A", present_if="D")] = None
    responses: Annotated[Array | None, log_probs("B K C A", present_if="K")] = None


@dataclass(frozen=True, eq=False)
class Hello(Message):
    """Actor to learner: introduces an actor and its epoch."""

    agent: int
    arena: int
    epoch: int  # random per actor process
    fingerprint: str
    learner_incarnation: int = 0  # of the weights that it has; 0 for none
    weights_version: int = 0


@dataclass(frozen=True, eq=False)
class Welcome(Message):
    """Learner to actor: the progress of its epoch, and weights if Hello did not name the newest."""

    epoch: int
    learner_incarnation: int
    received: int  # segments 1 … received of this epoch have arrived
    trained: int
    durable: int
    window: int  # segments per lane an actor may be ahead of `trained`
    complete: bool
    # A frame of `encode_weights`.
    weights: Annotated[Array | None, Axes("uint8", "bytes", present_if="bytes")] = None


@dataclass(frozen=True, eq=False)
class Segment(Message):
    """Actor to learner: T steps of B games, with all that training needs.

    Index t of a time axis is step t of the segment, except for `actions` and `symbols`, which begin
    one step earlier: ``actions[t]`` are the actions of step t − 1. So what leaders do at step t is
    in ``actions[t + 1]``.
    """

    epoch: int
    seq: int  # 1, 2, 3, … over all lanes of an epoch
    lane: Lane
    learner_incarnation: int  # of the learner whose weights acted
    weights_version: int  # of the weights that acted
    pixels: Annotated[Array, Axes("uint8", "T+1 B W W", below="P")]
    is_first: Annotated[Array, Axes("bool", "T+1 B")]
    visible: Annotated[Array, Axes("bool", "T+1 B N")]
    actions: Annotated[Array, Axes("uint8", "T+2 B N", below="A")]
    log_prob: Annotated[Array, log_probs("T B")]  # of k's actions when it chose them
    reward: Annotated[Array, floats("T B")]  # for a_t
    influence: Annotated[Array, floats("T B")]  # c_t in nats, without its weight
    state: Annotated[Array, floats("B S")]  # recurrent state before step 0
    symbols: Annotated[Array | None, Axes("uint8", "T+1 B N", below="V", present_if="V")] = None
    # Of k's symbols when it chose them.
    symbol_log_prob: Annotated[Array | None, log_probs("T B", present_if="V")] = None
    # Replaces the reward in training.
    shaped_reward: Annotated[Array | None, floats("T B", present_if="R")] = None


@dataclass(frozen=True, eq=False)
class Ack(Message):
    """Learner to actor: the progress of its epoch."""

    epoch: int
    learner_incarnation: int
    received: int
    trained: int
    durable: int
    newest_version: int  # of the weights
    complete: bool  # the learner has met its budget; it only acknowledges now


@dataclass(frozen=True, eq=False)
class Refused(Message):
    """Both ways: why a message was not accepted. If not fatal, send Join or Hello again."""

    reason: str
    fatal: bool
    replaced: bool = False  # fatal, since a newer process has the receiver's place


@dataclass(frozen=True, eq=False)
class Bye(Message):
    """Actor to learner: it is about to stop; please make its segments durable."""

    epoch: int


MESSAGES: dict[str, type[Message]] = {
    kind.__name__.lower(): kind
    for kind in (Join, Seat, Timestep, Act, Hello, Welcome, Segment, Ack, Refused, Bye)
}
