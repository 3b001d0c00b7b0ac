"""What an experiment switches on, and the sizes of its networks. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Divergence = Literal["kl", "jsd", "pmi"]
Role = Literal["influencer", "influencee", "plain"]

INFLUENCES = ("off", "basic", "communication", "moa", "moa_communication")
"""How an agent may reckon its influence on the others: not at all; §4; §5; §6; and of its symbols
by its own model of the others, which nobody has to disclose anything for."""

OWN = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"
"""How something of the user's own is named: `package.module:Name`."""


def _one_of_or_own(*names: str) -> Callable[[str], str]:
    def check(given: str) -> str:
        if given not in names and not re.fullmatch(OWN, given):
            raise ValueError(f"wanted {', '.join(names)}, or package.module:Name for one's own")
        return given

    return check


Size = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class NetworkSettings(BaseModel):
    """The `[network]` section of a run file: layer sizes (§10.4 of the paper).

    Attributes:
        kind: "paper", or `package.module:Name` for a network of one's own, a subclass of
            `ssd_influence.networks.agent_network.AgentNetwork`.
        own: what a network of one's own wants to be told beside the sizes below.
        conv_channels: channels of the convolution.
        hidden: width of the dense layers.
        lstm: cells of the policy's LSTM.
        moa_lstm: cells of the MOA's.
        communication_embedding: width of the layer between the LSTM and the communication head.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[str, AfterValidator(_one_of_or_own("paper"))] = "paper"
    own: dict[str, bool | int | Finite | str] = {}
    conv_channels: Size = 6
    hidden: Size = 32
    lstm: Size = 128
    moa_lstm: Size = 128
    communication_embedding: Size = 32

    @model_validator(mode="after")
    def _own_settings_have_an_owner(self) -> Self:
        if self.own and self.kind == "paper":
            raise ValueError(f'own = {self.own} is for a network of one\'s own: kind = "paper"')
        return self


class ExperimentSettings(BaseModel):
    """The `[experiment]` section of a run file: who knows what, and the reward r = αe + β(t)c.

    Attributes:
        visible_actions: the policy sees what all other agents did in the step before.
        influence: how c is reckoned: "off", "basic" (§4), "communication" (§5), "moa" (§6),
            "moa_communication", or `package.module:Name` for an intrinsic reward of one's own.
        moa_auxiliary: agents learn a model of the others even where their reward needs none.
        leaders: agents 0 … leaders − 1 are influencers, act first within a step, and the others,
            their influencees, see what they do before they act themselves (§4).
        roles: each agent's role, in the place of `leaders`. Where influence is not basic, nobody
            acts first, and influencers are those who are rewarded for it: of symbols that are
            disclosed, over influencers and influencees; by a MOA, over all others.
        influencee_reward: an influencee is paid β times the basic influence it was under, too.
        symbols: V, how many symbols an agent can say one of at each step; 0 for silence (§5).
        divergence: how far the conditional lies from the marginal; see `influence`.
        alpha: weight of the environment's reward e. Where influence is of symbols, α and β weigh
            the communication head's reward alone, and the policy's is e.
        beta: weight of the influence reward c, once the ramp is over.
        beta_ramp: own-steps over which beta grows linearly from 0; 0 for no ramp.
        influence_clip: c is cut to ± this; infinity for not at all.
        communication_weight: weight of the communication head's loss.
        moa_weight: weight of the MOA's loss.
        moa_only_when_visible: the MOA learns only about agents in view.
        reward: what stands in the place of e: one's own reward, or what `social_reward` makes of
            everyone's.
        prosocial_eta: η, the weight of all others' rewards.
        disadvantageous: the weight of having less than another, in inequity aversion.
        advantageous: the weight of having more.
        smoothing: γλ of the smoothed rewards that inequity aversion compares: 0.99 · 0.975.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    visible_actions: bool = True
    influence: Annotated[str, AfterValidator(_one_of_or_own(*INFLUENCES))] = "off"
    moa_auxiliary: bool = False
    leaders: Annotated[int, Field(ge=0)] = 0
    roles: tuple[Role, ...] = ()
    influencee_reward: bool = False
    symbols: Annotated[int, Field(ge=0, le=255)] = 0
    divergence: Divergence = "kl"
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
        """Whether agents model the others."""
        return self.moa_auxiliary or self.influence in ("moa", "moa_communication")

    @property
    def influence_of_symbols(self) -> bool:
        """Whether c is for what an agent says, and so the communication head's reward."""
        return self.influence in ("communication", "moa_communication")

    @property
    def agents_act_in_turn(self) -> bool:
        """Whether influencers act before the others do, within a step."""
        return bool(self.leaders or self.roles) and self.influence in ("off", "basic")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        for objection in self._objections():
            raise ValueError(objection)
        return self

    def _objections(self) -> list[str]:
        led = bool(self.leaders or self.roles)
        return [
            objection
            for holds, objection in (
                (
                    self.beta == 0 or self.influence != "off",
                    f'beta = {self.beta} weighs an influence reward: influence = "off" has none',
                ),
                (
                    self.influence != "basic" or led,
                    'influence = "basic" is of those who act first: it needs leaders, or roles',
                ),
                (
                    not (self.leaders and self.roles),
                    f"leaders = {self.leaders} and roles say the same twice: one of them is wanted",
                ),
                (
                    not self.leaders or self.influence in ("off", "basic"),
                    f'leaders = {self.leaders}: with influence = "{self.influence}" nobody acts'
                    " first; roles tell who is rewarded",
                ),
                (
                    not self.influencee_reward or self.influence == "basic",
                    f'influencee_reward needs influence = "basic", not "{self.influence}"',
                ),
                (
                    bool(self.symbols) or not self.influence_of_symbols,
                    f'influence = "{self.influence}" is of symbols: it needs symbols of at least 2',
                ),
                (self.symbols != 1, "symbols = 1 says nothing: 0 for silence, or at least 2"),
            )
            if not holds
        ]

    def beta_at(self, own_steps: int) -> float:
        """Weight β(t) of the influence reward after `own_steps` steps of this agent."""
        if own_steps >= self.beta_ramp:
            return self.beta
        return self.beta * own_steps / self.beta_ramp
