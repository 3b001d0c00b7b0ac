"""What a policy is told of the others, on a CPU: `Told` as columns of the LSTM's weights."""

from __future__ import annotations

import numpy as np

from ssd_influence.inference.lstm_stepper import U8, Bools, Core, Inputs
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.policy_inputs import told_of


class Hearing:
    """The one-hot inputs of a policy, and about which of them it answers what if.

    Args:
        network: whose policy is told.
        games: B.

    Attributes:
        places: [K] which of the last inputs of `hear` are those of the agents it answers.
    """

    def __init__(self, network: AgentNetwork, games: int) -> None:
        told, part, influence = network.policy.told, network.part, network.experiment.influence
        followed = told.followed.numpy()
        self._last = np.delete(np.arange(len(told.seen)), followed)
        self._acted, self._followed = told.seen.numpy()[self._last], followed
        self._heard = told.heard.numpy()
        asked = part.follows if influence == "basic" else part.others
        self.places = [asked.index(k) for k in part.answers]
        self._never = np.zeros(games, np.bool_)

    def refresh(self, core: Core) -> None:
        """Take over the columns of the policy's LSTM."""
        actions, self._symbols = core.columns
        self._before, self._now = actions[self._last], actions[self._followed]

    def hear(
        self, actions_tm1: U8, is_first_t: Bools, leaders_t: U8 | None, symbols_tm1: U8 | None
    ) -> list[Inputs]:
        """All one-hot inputs of s_t, from what `Inference.decide` has; last what it answers about.

        Raises:
            ValueError: it is not told what those do or say that it follows or hears.
        """
        before, now, said = [], [], []
        if len(self._acted):
            taken = np.take(actions_tm1, self._acted, 1)
            before = [Inputs(self._before, taken, is_first_t)]
        if len(self._followed):
            taken = told_of(leaders_t, "leaders_t").copy()  # what the wire brings is read-only
            now = [Inputs(self._now, taken, self._never)]
        if len(self._heard):
            taken = np.take(told_of(symbols_tm1, "symbols_tm1"), self._heard, 1)
            said = [Inputs(self._symbols, taken, is_first_t)]
        return [*before, *said, *now]  # of symbols nobody asks where anybody leads
