"""Who influences whom, who acts before whom, and what each agent is told for it. Needs no torch.

In experiment I (§4) influencers act first within a step, and influencees see what they do. In II
(§5) everybody hears everybody's symbols. In both, those who may be influenced disclose how they
would have acted otherwise; in III, and in all baselines, nobody discloses anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from ssd_influence.settings import ExperimentSettings


@dataclass(frozen=True)
class Part:
    """What agent k has to do with the others, beside living among them. All numbers ascend.

    Attributes:
        agent: k.
        num_agents: N.
        leads: k's action of a step is shown to others before they act.
        follows: the L agents whose actions of this step k sees before it acts.
        rewarded: k is rewarded for its influence.
        answers: the K agents to whom k discloses what it would do, had they done otherwise.
        asks: the J agents that disclose so to k.
        tells_policy: k tells those who follow it from which policy it acted.
        is_told_policies: k is told so by those it follows, to know how far it was influenced.
    """

    agent: int
    num_agents: int
    leads: bool
    follows: tuple[int, ...]
    rewarded: bool
    answers: tuple[int, ...]
    asks: tuple[int, ...]
    tells_policy: bool
    is_told_policies: bool

    @property
    def others(self) -> tuple[int, ...]:
        """All agents but k."""
        return tuple(j for j in range(self.num_agents) if j != self.agent)


def part_of(experiment: ExperimentSettings, agent: int, num_agents: int) -> Part:
    """The part of agent k of N.

    Raises:
        ValueError: the experiment's leaders or roles are not for so many agents.
    """
    influencers, influencees = _influencers_and_influencees(experiment, num_agents)
    disclosed = experiment.influence in ("basic", "communication")
    in_turn = experiment.agents_act_in_turn
    leads, follows = in_turn and agent in influencers, in_turn and agent in influencees
    return Part(
        agent=agent,
        num_agents=num_agents,
        leads=leads,
        follows=influencers if follows else (),
        rewarded=experiment.influence != "off" and agent in influencers,
        answers=_without(agent, influencers) if disclosed and agent in influencees else (),
        asks=_without(agent, influencees) if disclosed and agent in influencers else (),
        tells_policy=leads and experiment.influencee_reward,
        is_told_policies=follows and experiment.influencee_reward,
    )


def optional_axes(part: Part, experiment: ExperimentSettings, num_actions: int) -> dict[str, int]:
    """The lengths of the optional axes of an agent's messages, by letter; 0 for none.

    V symbols; L leaders, Q of which reveal their log-probabilities; D = 1 if the agent reveals its
    own; K agents that it sends responses to, J that send theirs to it, C alternatives that each
    response covers; R agents whose rewards it receives.
    """
    alternatives = {"basic": num_actions, "communication": experiment.symbols}
    leaders = len(part.follows)
    return {
        "V": experiment.symbols,
        "L": leaders,
        "Q": leaders if part.is_told_policies else 0,
        "D": int(part.tells_policy),
        "K": len(part.answers),
        "J": len(part.asks),
        "C": alternatives.get(experiment.influence, 0),
        "R": 0 if experiment.reward == "own" else part.num_agents,
    }


def _influencers_and_influencees(
    experiment: ExperimentSettings, num_agents: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Both without the plain; disjoint where agents act in turn."""
    everyone = tuple(range(num_agents))
    if experiment.roles:
        return _cast(experiment, num_agents)
    if not experiment.leaders:
        return everyone, everyone
    if experiment.leaders >= num_agents:
        raise ValueError(
            f"leaders: wanted 1 to {num_agents - 1} of {num_agents} agents,"
            f" found {experiment.leaders}"
        )
    return everyone[: experiment.leaders], everyone[experiment.leaders :]


def _cast(
    experiment: ExperimentSettings, num_agents: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Influencers and influencees by the run file's roles."""
    roles = experiment.roles
    if len(roles) != num_agents:
        raise ValueError(f"roles: wanted one for each of {num_agents} agents, found {len(roles)}")
    influencers = tuple(agent for agent in range(num_agents) if roles[agent] == "influencer")
    influencees = tuple(agent for agent in range(num_agents) if roles[agent] == "influencee")
    if not experiment.agents_act_in_turn:
        return influencers, tuple(sorted(influencers + influencees))
    if not (influencers and influencees):
        found = ", ".join(roles)
        raise ValueError(f"roles: wanted at least one influencer and one influencee, found {found}")
    return influencers, influencees


def _without(agent: int, agents: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(other for other in agents if other != agent)
