"""Every message that crosses a process boundary, valid by construction.

Axes: B games in a lane, N agents, T steps of a segment, W×W cells of a view, P colours, A actions,
S floats of recurrent state, V symbols. What only some experiments have, and in them only some
agents: L leaders that act before the agent within a step, Q of them who tell their policies (all or
none), D = 1 if it tells its own, K agents to whom it discloses what it would have done had they
done otherwise, J who disclose so to it, C things that one could have done or said, and R = N where
everyone's rewards are told. An array of such an axis is None for all others.

`PROTOCOL.md` beside this file describes the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np

from ssd_wire.fields import Axes, check_fields

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Message:
    """What all messages share: their fields are checked when they are made."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def checked(cls, fields: Mapping[str, Any]) -> Self:
        """The message of these fields, each of which has just been checked as it came in."""
        message = cls.__new__(cls)
        vars(message).update(fields)
        return message


@dataclass(frozen=True, eq=False)
class Join(Message):
    """Actor to world: agent `agent` asks for its seat."""

    agent: int
    actor_incarnation: int  # random per actor process
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Seat(Message):
    """World to actor: the seat is yours; this is the world you are in."""

    env_incarnation: int
    agents: int
    actions: int
    symbols: int  # V; 0 for silence
    lanes: int
    games: int
    horizon: int
    view: int
    palette: Annotated[Array, Axes("uint8", "P 3")]


@dataclass(frozen=True, eq=False)
class Timestep(Message):
    """World to actor: what agent k sees in each of B games, and what everyone just did.

    Where `is_first` is true, pixels, visible and what leaders do belong to the new episode; reward,
    actions, symbols and responses to the last step of the old one.
    """

    env_incarnation: int
    lane: int
    tick: int
    pixels: Annotated[Array, Axes("uint8", "B W W", below="P")]  # palette indices
    is_first: Annotated[Array, Axes("bool", "B")]
    reward: Annotated[Array, Axes("float32", "B")]  # agent k's own, for its last action
    actions: Annotated[Array, Axes("uint8", "B N", below="A")]  # everyone's last
    visible: Annotated[Array, Axes("bool", "B N")]  # whether k sees j in these pixels
    symbols: Annotated[Array | None, Axes("uint8", "B N", below="V", where="V")] = None  # last said
    # What those whom k follows do in this very step, and from which policy, as log-probabilities.
    leader_actions: Annotated[Array | None, Axes("uint8", "B L", below="A", where="L")] = None
    leader_log_probs: Annotated[Array | None, Axes("float32", "B Q A", where="Q")] = None
    # Log-probability of each action of j in the last step, had k done or said each c then (§4), or
    # in the step before (§5).
    responses: Annotated[Array | None, Axes("float32", "B J C A", where="J")] = None
    all_rewards: Annotated[Array | None, Axes("float32", "B R", where="R")] = None  # everyone's


@dataclass(frozen=True, eq=False)
class Act(Message):
    """Actor to world: agent k's answer to the timestep of this lane and tick."""

    env_incarnation: int
    lane: int
    tick: int
    action: Annotated[Array, Axes("uint8", "B", below="A")]
    symbol: Annotated[Array | None, Axes("uint8", "B", below="V", where="V")] = None
    # Log-probabilities: of k's policy, and of what it would do, had each of K done or said each c.
    log_probs: Annotated[Array | None, Axes("float32", "B A", where="D")] = None
    responses: Annotated[Array | None, Axes("float32", "B K C A", where="K")] = None


@dataclass(frozen=True, eq=False)
class Hello(Message):
    """Actor to learner: I am agent k of this arena, and number my segments in this epoch."""

    agent: int
    arena: int
    epoch: int  # random per actor process
    fingerprint: str
    learner_incarnation: int = 0  # of the weights that it has: whose they are; 0 for none
    weights_version: int = 0  # and which


@dataclass(frozen=True, eq=False)
class Welcome(Message):
    """Learner to actor: how far it is with this epoch, and the weights if Hello named others."""

    epoch: int
    learner_incarnation: int
    received: int  # segments 1 … received of this epoch have arrived
    trained: int
    durable: int
    window: int  # segments per lane an actor may be ahead of `trained`
    complete: bool
    weights: Annotated[Array | None, Axes("uint8", "bytes", where="bytes")] = None  # a whole frame


@dataclass(frozen=True, eq=False)
class Segment(Message):
    """Actor to learner: T steps of B games, with all that is needed to learn from them.

    Index t of an axis T+1 or T+2 counts from the segment's first step, but for `actions` and
    `symbols`, which begin one step earlier: ``actions[t]`` is what everyone did at step t − 1, and
    what leaders do at step t is in ``actions[t + 1]``.
    """

    epoch: int
    seq: int  # 1, 2, … over all lanes of an epoch
    lane: int
    learner_incarnation: int  # of the learner whose weights acted
    weights_version: int  # of the weights that acted
    pixels: Annotated[Array, Axes("uint8", "T+1 B W W", below="P")]
    is_first: Annotated[Array, Axes("bool", "T+1 B")]
    visible: Annotated[Array, Axes("bool", "T+1 B N")]
    actions: Annotated[Array, Axes("uint8", "T+2 B N", below="A")]
    log_prob: Annotated[Array, Axes("float32", "T B")]  # of k's action, when it acted
    reward: Annotated[Array, Axes("float32", "T B")]  # e_t, the environment's for a_t
    influence: Annotated[Array, Axes("float32", "T B")]  # c_t in nats, unweighted
    state: Annotated[Array, Axes("float32", "B S")]  # recurrent state before step 0
    symbols: Annotated[Array | None, Axes("uint8", "T+1 B N", below="V", where="V")] = None
    symbol_log_prob: Annotated[Array | None, Axes("float32", "T B", where="V")] = None  # of k's
    shaped_reward: Annotated[Array | None, Axes("float32", "T B", where="R")] = (
        None  # in the place of e
    )


@dataclass(frozen=True, eq=False)
class Ack(Message):
    """Learner to actor: what has become of this epoch's segments."""

    epoch: int
    learner_incarnation: int
    received: int
    trained: int
    durable: int
    newest_version: int  # of the weights
    complete: bool  # the learner's budget is met: it acknowledges, and trains no more


@dataclass(frozen=True, eq=False)
class Refused(Message):
    """Both ways: why the last message was not taken. Not fatal means: introduce yourself again."""

    reason: str
    fatal: bool


@dataclass(frozen=True, eq=False)
class Bye(Message):
    """Actor to learner: no more segments will come. Make what you have durable, and say so."""

    epoch: int


MESSAGES: dict[str, type[Message]] = {
    kind.__name__.lower(): kind
    for kind in (Join, Seat, Timestep, Act, Hello, Welcome, Segment, Ack, Refused, Bye)
}
