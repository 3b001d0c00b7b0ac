"""The run file's [experiment] and [network] sections. Needs no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    field_validator,
    model_validator,
)

Divergence = Literal["kl", "jsd", "pmi"]
"""Names of the divergences; `kernels.divergences` computes them."""

RoleName = Literal["influencer", "influencee", "plain"]

INFLUENCES = ("off", "basic", "communication", "moa", "moa_communication")
"""How the influence reward is computed: none; §4; §5; §6; and the influence of symbols, predicted
by the agent's own model of the others, so that nobody has to disclose anything."""

PLUGIN = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"
"""How a run file names a class of the user's: `package.module:Name`."""


def _one_of_or_plugin(*names: str) -> Callable[[str], str]:
    """A validator of one of these names, or the name of a plugin."""

    def check(given: str) -> str:
        if given not in names and not re.fullmatch(PLUGIN, given):
            raise ValueError(f"wanted {', '.join(names)}, or package.module:Name of a custom class")
        return given

    return check


Size = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class NetworkSettings(BaseModel):
    """The `[network]` section of a run file: layer sizes (§10.4 of the paper).

    Attributes:
        kind: "paper", or `package.module:Name` of a custom network, a subclass of
            `ssd_influence.networks.agent_network.AgentNetwork`.
        own: settings of a custom network, beside the sizes below.
        conv_channels: channels of the convolution.
        hidden: width of the dense layers.
        lstm: cells of the policy's LSTM.
        moa_lstm: cells of the LSTM of the model of other agents (MOA).
        communication_embedding: width of the layer between the LSTM and the communication head.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[str, AfterValidator(_one_of_or_plugin("paper"))] = "paper"
    own: dict[str, SkipValidation[bool | int | float | str]] = {}
    conv_channels: Size = 6
    hidden: Size = 32
    lstm: Size = 128
    moa_lstm: Size = 128
    communication_embedding: Size = 32

    @field_validator("own")
    @classmethod
    def _check_own(cls, own: dict[str, object]) -> dict[str, object]:
        for key, value in own.items():
            is_number = isinstance(value, float) and math.isfinite(value)
            if not is_number and not isinstance(value, (bool, int, str)):
                raise ValueError(f"{key}: wanted true, false, a number or a text")
        return own

    @model_validator(mode="after")
    def _own_settings_need_a_custom_network(self) -> Self:
        if self.own and self.kind == "paper":
            raise ValueError(f'own = {self.own} is for a custom network, not for kind = "paper"')
        return self


class ExperimentSettings(BaseModel):
    """The `[experiment]` section of a run file: what agents know, and the reward r = αe + β(t)c.

    Attributes:
        visible_actions: the policy sees what all other agents did in the step before.
        influence: how the influence reward c is computed: "off", "basic" (§4), "communication"
            (§5), "moa" (§6), "moa_communication", or `package.module:Name` of a custom intrinsic
            reward.
        moa_auxiliary: agents learn a model of the others even if their reward needs none.
        leaders: agents 0 … leaders − 1 are influencers and act first within a step. The others are
            influencees and see these actions before they act themselves (§4).
        roles: each agent's role, instead of `leaders`. With influence "off" or "basic", influencers
            act first, and influencees see their actions. Otherwise nobody acts first, and only
            influencers get the influence reward: with "communication" for their influence on
            influencers and influencees, with a MOA for that on all others. There must then be an
            influencer, and with "communication" another agent that is not plain.
        influencee_reward: with influence "basic", an influencee also gets a reward: β times the
            influence that its leaders had on it.
        symbols: V, the number of symbols, one of which an agent sends at each step; 0 for no
            communication (§5).
        divergence: the distance between the conditional and the marginal distribution of another
            agent's action, from which the influence reward is made.
        reward_clip: the environment's rewards are clipped to ± this before anything is computed
            from them; infinity for no clip. Reported returns are not clipped.
        alpha: weight of the environment's reward e. If influence is of symbols, α and β weigh the
            communication head's reward only, and the policy's reward is e.
        beta: weight of the influence reward c after the ramp.
        beta_ramp: own-steps over which beta grows linearly from 0; 0 for no ramp.
        influence_clip: c is clipped to ± this; infinity for no clip.
        communication_weight: weight of the communication head's loss.
        moa_weight: weight of the MOA's loss in the convolution that the MOA shares with the
            policy: its gradient there is multiplied by it. The MOA's own weights learn from the
            loss as it is, also with 0.
        moa_only_when_visible: the MOA learns only about agents in view.
        reward: what replaces e: "own" keeps the agent's own reward, "prosocial" and
            "inequity_averse" combine the rewards of all agents, each clipped.
        prosocial_eta: η, the weight of all others' rewards.
        disadvantageous: weight of having less than another agent, in inequity aversion.
        advantageous: weight of having more than another agent, in inequity aversion.
        smoothing: γλ of the smoothed rewards that inequity aversion compares: 0.99 · 0.975.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    visible_actions: bool = True
    influence: Annotated[str, AfterValidator(_one_of_or_plugin(*INFLUENCES))] = "off"
    moa_auxiliary: bool = False
    leaders: Annotated[int, Field(ge=0)] = 0
    roles: tuple[RoleName, ...] = ()
    influencee_reward: bool = False
    symbols: Annotated[int, Field(ge=0, le=255)] = 0
    divergence: Divergence = "kl"
    reward_clip: Annotated[float, Field(gt=0)] = 1.0
    alpha: Finite = 1.0
    beta: NotNegative = 0.0
    beta_ramp: NotNegative = 0.0
    influence_clip: Annotated[float, Field(gt=0)] = 10.0
    communication_weight: NotNegative = 1.0
    moa_weight: NotNegative = 1.0
    moa_only_when_visible: bool = False
    reward: Literal["own", "prosocial", "inequity_averse"] = "own"
    prosocial_eta: Finite = 0.85
    disadvantageous: Finite = 5.0
    advantageous: Finite = 0.05
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.96525

    @property
    def has_moa(self) -> bool:
        """Whether agents learn a model of the others."""
        return self.moa_auxiliary or self.influence in ("moa", "moa_communication")

    @property
    def influence_of_symbols(self) -> bool:
        """Whether c is the influence of symbols, and so the communication head's reward."""
        return self.influence in ("communication", "moa_communication")

    @property
    def agents_act_in_turn(self) -> bool:
        """Whether influencers act before the others within a step."""
        return bool(self.leaders or self.roles) and self.influence in ("off", "basic")

    @model_validator(mode="after")
    def _settings_are_consistent(self) -> Self:
        for objection in self._objections():
            raise ValueError(objection)
        return self

    def _objections(self) -> list[str]:
        has_leaders = bool(self.leaders or self.roles)
        return [
            objection
            for holds, objection in (
                (
                    self.beta == 0 or self.influence != "off",
                    f'beta = {self.beta} weighs an influence reward, but influence = "off"',
                ),
                (
                    self.influence != "basic" or has_leaders,
                    'influence = "basic" is the influence of those who act first: it needs leaders,'
                    " or roles",
                ),
                (
                    not (self.leaders and self.roles),
                    f"leaders = {self.leaders} and roles exclude each other: set one of them",
                ),
                (
                    not self.leaders or self.influence in ("off", "basic"),
                    f'leaders = {self.leaders}: with influence = "{self.influence}" nobody acts'
                    " first; roles say who is rewarded",
                ),
                (
                    not self.influencee_reward or self.influence == "basic",
                    f'influencee_reward needs influence = "basic", not "{self.influence}"',
                ),
                (
                    bool(self.symbols) or not self.influence_of_symbols,
                    f'influence = "{self.influence}" is of symbols: it needs symbols of at least 2',
                ),
                (
                    self.symbols != 1,
                    "symbols = 1 carries no information: wanted 0 for none, or at least 2",
                ),
            )
            if not holds
        ]

    def beta_at(self, own_steps: int) -> float:
        """Weight β(t) of the influence reward after `own_steps` steps of this agent."""
        if own_steps >= self.beta_ramp:
            return self.beta
        return self.beta * own_steps / self.beta_ramp
