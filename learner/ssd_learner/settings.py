"""The run file's [learning]: how one agent learns from its segments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class LearningSettings(BaseModel):
    """How an agent learns. Clocks count own-steps: agent-steps of this agent.

    The paper names γ-discounted A3C, the learning rates and the entropy weights. The learner, its
    batches, clips and optimizer are ours.

    Args:
        algorithm: "ppo", or "vtrace" for the actor-critic with V-trace's targets, which is nearest
            to the paper's A3C.
        gamma: Discount per step.
        horizon_ends: What the end of an episode is to returns. "termination": nothing comes after
            it. "truncation": the game would go on, so the value of the last view stands for what
            would have come.
        reward_clip: The environment's rewards are cut to ± this before anything is learned from
            them. Returns are reported uncut.
        products: What the learner takes the network's matrix products in: "float32", "bfloat16", or
            "auto" for bfloat16 where the processor has it, float32 on a GPU. Weights are float32,
            and float32 is never TF32.
        optimizer: "adam" or "rmsprop".
        lr_init: Learning rate at the start.
        lr_end: Learning rate once annealed, and from then on.
        lr_anneal: Own-steps over which it goes linearly from `lr_init` to `lr_end`.
        moa_lr: Learning rate of the model of others.
        weight_decay: PPO with Adam: by which share of itself, times the learning rate, each weight
            shrinks in an update (AdamW). Without it the noise of an agent that earns little moves
            its weights until the LSTM's gates are saturated, and it is blind.
        entropy: Weight of the policy's entropy at the start.
        entropy_end: Its weight once annealed, and from then on; as at the start if not given.
        entropy_anneal: Own-steps over which it goes linearly from `entropy` to `entropy_end`.
        communication_entropy: Weight of the entropy of what is said, in the communication head's
            loss (§5).
        value_coefficient: Weight of the value losses.
        gradient_clip: Largest norm of the gradient of the policy and the layers it shares.
        value_clip: The same of the value heads; PPO only, V-trace clips them with the policy.
        moa_clip: The same of the model of others.
        horizon: PPO: steps of each game in a batch. Returns are of real rewards up to its end, and
            of the critic's estimate after it. A multiple of the segment.
        gae_lambda: PPO: λ of the advantage estimates; 1 trusts the critic only at the end.
        chunk: PPO: steps over which gradients flow back through time; divides the segment. 0 for
            the whole segment.
        passes: PPO: how often each batch is trained on.
        moa_passes: PPO: in how many of these passes the model of others learns.
        minibatch: PPO: own-steps of an update, about.
        ratio_clip: PPO: how far π/μ may move from 1 before a sample teaches nothing more.
        kl_limit: PPO: the batch is left once KL(μ‖π), averaged over a pass, is above this, in nats.
        normalise_advantages: PPO: advantages of a batch have mean 0 and deviation 1.
        normalise_values: PPO: the critic learns targets of mean 0 and deviation 1.
        value_pull: PPO: largest norm of the critic's gradient where it enters the layers that it
            shares with the policy, in norms of the policy's own gradient there.
        rho_clip: V-trace's ρ̄, the clip of the importance weights in its targets.
        c_clip: V-trace's c̄, the clip of those in its traces.
        batch_segments: V-trace: most segments taken at once: those that have arrived; none is
            waited for.
        update_games: V-trace: most games in one update; what was taken is trained in as many
            updates, one after the other, as that makes.
        checkpoint_seconds: Longest time between checkpoints while there is news.
        checkpoints_kept: How many of the newest checkpoints stay on disk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["ppo", "vtrace"] = "ppo"
    gamma: float = Field(default=0.99, ge=0, lt=1)
    horizon_ends: Literal["termination", "truncation"] = "termination"
    reward_clip: Positive = 1.0
    products: Literal["auto", "float32", "bfloat16"] = "auto"
    optimizer: Literal["adam", "rmsprop"] = "adam"
    lr_init: Positive = 0.00126
    lr_end: NotNegative = 0.0002
    lr_anneal: Positive = 2e7
    moa_lr: Positive = 0.001
    weight_decay: NotNegative = 0.1
    entropy: NotNegative = 0.00176
    entropy_end: float | None = Field(default=None, ge=0)
    entropy_anneal: Positive = 3e8
    communication_entropy: NotNegative = 0.001
    value_coefficient: NotNegative = 0.5
    gradient_clip: Positive = 40.0
    value_clip: Positive = 40.0
    moa_clip: Positive = 1.0
    horizon: int = Field(default=500, ge=1)
    gae_lambda: float = Field(default=1.0, ge=0, le=1)
    chunk: int = Field(default=0, ge=0)
    passes: int = Field(default=3, ge=1)
    moa_passes: int = Field(default=3, ge=0)
    minibatch: int = Field(default=4000, ge=1)
    ratio_clip: float = Field(default=0.3, gt=0)
    kl_limit: Positive = float("inf")
    normalise_advantages: bool = True
    normalise_values: bool = True
    value_pull: NotNegative = 1.0
    rho_clip: Positive = 1.0
    c_clip: Positive = 1.0
    batch_segments: int = Field(default=1, ge=1, le=1024)
    update_games: int = Field(default=24, ge=1, le=1_048_576)
    checkpoint_seconds: float = Field(default=15.0, gt=0)
    checkpoints_kept: int = Field(default=2, ge=1)

    def segments_per_batch(self, segment: int) -> int:
        """How many segments of each game a batch has.

        Args:
            segment: Steps per segment.
        """
        return 1 if self.algorithm == "vtrace" else max(1, self.horizon // segment)

    def fill(self, segment: int, lanes: int) -> int:
        """How many segments of one actor a batch is begun with; V-trace waits for none.

        Args:
            segment: Steps per segment.
            lanes: Per arena.
        """
        return 1 if self.algorithm == "vtrace" else lanes * self.segments_per_batch(segment)

    def objection(self, segment: int, lanes: int, window: int, retained: int) -> str | None:
        """Why this is not for a run of such segments; None where it is.

        Args:
            segment: Steps per segment.
            lanes: Per arena.
            window: Batches that an actor may be ahead.
            retained: Segments that an actor keeps.
        """
        if self.algorithm == "vtrace":
            return None
        if self.horizon % segment:
            return f"horizon = {self.horizon}: wanted a multiple of the segment, {segment} steps"
        if self.chunk and segment % self.chunk:
            return f"chunk = {self.chunk}: wanted a divisor of the segment, {segment} steps"
        ahead = window * lanes * self.segments_per_batch(segment)
        if ahead > retained:
            return (
                f"horizon = {self.horizon}: an actor may be {ahead} segments ahead,"
                f" and would keep at most {retained}: wanted [run] retained of at least {ahead}"
            )
        return None

    def learning_rate_at(self, own_steps: int) -> float:
        """The learning rate of an update that starts after this many own-steps."""
        return _annealed(self.lr_init, self.lr_end, own_steps / self.lr_anneal)

    def entropy_at(self, own_steps: int) -> float:
        """The weight of the policy's entropy in an update that starts after so many own-steps."""
        end = self.entropy if self.entropy_end is None else self.entropy_end
        return _annealed(self.entropy, end, own_steps / self.entropy_anneal)


def _annealed(start: float, end: float, progress: float) -> float:
    """A straight line from start to end, where it stays."""
    return start + (end - start) * min(1.0, progress)
