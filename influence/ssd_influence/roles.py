"""Which agents influence which, who acts first, and what each agent receives. Needs no torch.

In experiment I (§4) influencers act first within a step, and influencees see their actions. In II
(§5) all agents receive all symbols. In both, agents that may be influenced disclose how they would
have acted otherwise. In III (§6), and in all baselines, nobody discloses anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from ssd_influence.settings import ExperimentSettings


@dataclass(frozen=True)
class Role:
    """How agent k interacts with the others, beside sharing an environment. All tuples ascend.

    Attributes:
        agent: k.
        num_agents: N.
        is_leader: other agents see k's action of a step before they act.
        leaders: the L agents whose actions of this step k sees before it acts.
        is_rewarded: k is rewarded for its influence.
        discloses_to: the K agents to which k discloses what it would do, had they acted otherwise.
        disclosed_by: the J agents that disclose the same to k.
        sends_log_probs: k sends the log-probabilities of its policy to the agents it leads.
        receives_log_probs: k receives those of its leaders, to compute how far it was influenced.
    """

    agent: int
    num_agents: int
    is_leader: bool
    leaders: tuple[int, ...]
    is_rewarded: bool
    discloses_to: tuple[int, ...]
    disclosed_by: tuple[int, ...]
    sends_log_probs: bool
    receives_log_probs: bool

    @property
    def others(self) -> tuple[int, ...]:
        """All agents but k."""
        return tuple(j for j in range(self.num_agents) if j != self.agent)


def role_of(experiment: ExperimentSettings, agent: int, num_agents: int) -> Role:
    """The role of agent k of N.

    Raises:
        ValueError: the experiment's leaders or roles do not fit this number of agents.
    """
    influencers, influencees = _influencers_and_influencees(experiment, num_agents)
    disclosed = experiment.influence in ("basic", "communication")
    in_turn = experiment.agents_act_in_turn
    is_leader, is_follower = in_turn and agent in influencers, in_turn and agent in influencees
    return Role(
        agent=agent,
        num_agents=num_agents,
        is_leader=is_leader,
        leaders=influencers if is_follower else (),
        is_rewarded=experiment.influence != "off" and agent in influencers,
        discloses_to=_without(agent, influencers) if disclosed and agent in influencees else (),
        disclosed_by=_without(agent, influencees) if disclosed and agent in influencers else (),
        sends_log_probs=is_leader and experiment.influencee_reward,
        receives_log_probs=is_follower and experiment.influencee_reward,
    )


def optional_axes(role: Role, experiment: ExperimentSettings, num_actions: int) -> dict[str, int]:
    """Sizes of the axes that only some experiments have for some agents; 0 if it has none.

    V symbols; L leaders of this agent, Q of which send their log-probabilities; D = 1 if it sends
    its own; K agents to which it discloses, J that disclose to it, C alternatives that each could
    have chosen; R agents whose rewards it receives.
    """
    alternatives = {"basic": num_actions, "communication": experiment.symbols}
    leaders = len(role.leaders)
    return {
        "V": experiment.symbols,
        "L": leaders,
        "Q": leaders if role.receives_log_probs else 0,
        "D": int(role.sends_log_probs),
        "K": len(role.discloses_to),
        "J": len(role.disclosed_by),
        "C": alternatives.get(experiment.influence, 0),
        "R": 0 if experiment.reward == "own" else role.num_agents,
    }


def _influencers_and_influencees(
    experiment: ExperimentSettings, num_agents: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Both without plain agents; disjoint if agents act in turn."""
    everyone = tuple(range(num_agents))
    if experiment.roles:
        return _by_role_names(experiment, num_agents)
    if not experiment.leaders:
        return everyone, everyone
    if experiment.leaders >= num_agents:
        raise ValueError(
            f"leaders: wanted 1 to {num_agents - 1} of {num_agents} agents,"
            f" found {experiment.leaders}"
        )
    return everyone[: experiment.leaders], everyone[experiment.leaders :]


def _by_role_names(
    experiment: ExperimentSettings, num_agents: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Influencers and influencees by the run file's `roles`."""
    names = experiment.roles
    if len(names) != num_agents:
        raise ValueError(f"roles: wanted one for each of {num_agents} agents, found {len(names)}")
    influencers = tuple(agent for agent in range(num_agents) if names[agent] == "influencer")
    influencees = tuple(agent for agent in range(num_agents) if names[agent] == "influencee")
    if not experiment.agents_act_in_turn:
        both = tuple(sorted(influencers + influencees))
        _check_influence(experiment, influencers, both)
        return influencers, both
    if not (influencers and influencees):
        found = ", ".join(names)
        raise ValueError(f"roles: wanted at least one influencer and one influencee, found {found}")
    return influencers, influencees


def _check_influence(
    experiment: ExperimentSettings, influencers: tuple[int, ...], both: tuple[int, ...]
) -> None:
    """Refuse roles with which nobody gets the influence reward, or there is nobody to influence.

    With a MOA influence is over all other agents, so one influencer is enough.
    """
    found = f'with influence = "{experiment.influence}", found {", ".join(experiment.roles)}'
    if not influencers:
        raise ValueError(f"roles: wanted at least one influencer {found}")
    if experiment.influence == "communication" and len(both) < 2:
        raise ValueError(f"roles: wanted another influencer or an influencee {found}")


def _without(agent: int, agents: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(other for other in agents if other != agent)
