"""What an experiment switches on, and the sizes of its networks. Needs no torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Divergence = Literal["kl", "jsd", "pmi"]


class NetworkSettings(BaseModel):
    """The `[network]` section of a run file: layer sizes (§10.4 of the paper)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conv_channels: Annotated[int, Field(ge=1)] = 6
    hidden: Annotated[int, Field(ge=1)] = 32
    lstm: Annotated[int, Field(ge=1)] = 128
    moa_lstm: Annotated[int, Field(ge=1)] = 128


class ExperimentSettings(BaseModel):
    """The `[experiment]` section of a run file: which agent this is, and its reward r = αe + β(t)c.

    Attributes:
        visible_actions: the policy sees what all other agents did in the step before.
        moa: whether the agent models the others, and whether it is rewarded for moving them.
        divergence: how far the conditional lies from the marginal; see `influence`.
        alpha: weight of the environment's reward e.
        beta: weight of the influence reward c, once the ramp is over.
        beta_ramp: own-steps over which beta grows linearly from 0; 0 for no ramp.
        influence_clip: c is cut to ± this; infinity for not at all.
        moa_weight: weight of the MOA's loss.
        moa_only_when_visible: the MOA learns only about agents in view.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    visible_actions: bool = True
    moa: Literal["off", "auxiliary", "influence"] = "off"
    divergence: Divergence = "kl"
    alpha: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    beta_ramp: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    influence_clip: Annotated[float, Field(gt=0)] = 10.0
    moa_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    moa_only_when_visible: bool = False

    @model_validator(mode="after")
    def _beta_weighs_something(self) -> Self:
        if self.beta > 0 and self.moa != "influence":
            raise ValueError(
                f'beta = {self.beta} weighs an influence reward: it needs moa = "influence",'
                f' not "{self.moa}"'
            )
        return self

    def beta_at(self, own_steps: int) -> float:
        """Weight β(t) of the influence reward after `own_steps` steps of this agent."""
        if own_steps >= self.beta_ramp:
            return self.beta
        return self.beta * own_steps / self.beta_ramp
