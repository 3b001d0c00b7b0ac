"""An agent without a network: it draws actions, and numbers its decisions.

It takes the place of `ssd_actors.agent.Agent`. The log-probability of an action is minus the number
of the decision, and the recurrent state counts the decisions.
"""

import numpy as np
from tests.simulation.checks.rules import require
from tests.simulation.settings import ACTIONS, EXPERIMENTS, STATE

from ssd_actors.intrinsic.transition import Transition
from ssd_influence.inference.decision import Decision, RecurrentState, Sample
from ssd_wire.messages import Act


class SimulatedAgent:
    """One agent in one lane.

    Args:
        settings: Of the history.
        record: Is told each decision.
        view: What the actor knows (`checks.actor_view.ActorView`).
        rng: Draws the actions.
    """

    def __init__(self, settings, record, view, rng):
        self.intrinsic = Intrinsic(settings.reward_delay) if settings.reward_delay else None
        self.learner_incarnation = 0
        self.weights_version = 0
        self._settings = settings
        self._record = record
        self._view = view
        self._rng = rng
        self._logits = np.zeros((settings.games, ACTIONS), np.float32)
        self._has_symbols = bool(EXPERIMENTS[settings.experiment].symbols)

    def load_weights(self, weights):
        """Act with these weights from now on."""
        found = weights.tensors["version"].tolist()
        require(found == [weights.version], "weights have the content of their version", found)
        self.learner_incarnation = weights.learner_incarnation
        self.weights_version = weights.version

    def initial_state(self):
        """No decision yet."""
        return RecurrentState(np.zeros((self._settings.games, STATE), np.float32), None)

    def make_social_reward(self):
        """The scheme that computes a reward from everyone's."""
        return SumOfRewards() if EXPERIMENTS[self._settings.experiment].reward != "own" else None

    def decide(self, timestep, state):
        """Draw an action in each game, and a symbol where there are symbols."""
        number = self._record.on_decision(self._view, self, timestep)
        action = self._draw(number, ACTIONS)
        symbol = self._draw(number, 3) if self._has_symbols else None
        state.policy[:] += 1
        chosen = (action.choice, None if symbol is None else symbol.choice)
        self._record.on_choice(self._view, timestep, *chosen)
        return Decision(action, symbol, None)

    def act_message(self, timestep, decision):
        """The answer to a timestep."""
        return Act(
            env_incarnation=timestep.env_incarnation,
            lane=timestep.lane,
            tick=timestep.tick,
            learner_complete=False,
            action=decision.action.choice,
            symbol=None if decision.symbol is None else decision.symbol.choice,
        )

    def complete_transition(self, timestep, decision, next_timestep, state):
        """Step t and what followed."""
        del state
        return Transition(timestep, decision, next_timestep)

    def intrinsic_reward(self, transition, timestep_tp2):
        """Says from which ticks it was computed."""
        ticks = [transition.timestep.tick, transition.next_timestep.tick]
        ticks += [timestep_tp2.tick] if timestep_tp2 is not None else []
        return np.full(self._settings.games, intrinsic_reward(ticks), np.float32)

    def _draw(self, number, below):
        games = self._settings.games
        choice = np.array([self._rng.randrange(below) for _ in range(games)], np.uint8)
        return Sample(self._logits, choice, np.full(games, -number, np.float32))


def intrinsic_reward(ticks):
    """A number from which the ticks can be told."""
    return ticks[0] * 64 + sum((tick - ticks[0]) * 8**n for n, tick in enumerate(ticks[1:]))


class Intrinsic:
    """An intrinsic reward that is known one or two timesteps after its step."""

    def __init__(self, delay):
        self.needs_timestep_tp2 = delay == 2


class SumOfRewards:
    """A reward scheme: the sum of everyone's rewards."""

    def shape(self, rewards, is_first):
        """[B] the shaped reward."""
        del is_first
        return rewards.sum(1)
