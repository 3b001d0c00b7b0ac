"""The run file's [learning] section: how one agent learns from its segments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ssd_wire.run_file import RunSettings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limit = Annotated[float, Field(gt=0)]  # infinity for no limit


class LearningSettings(BaseModel):
    """How an agent learns. Schedules count own-steps: agent-steps of this agent.

    The paper names A3C with discount γ, the learning rates and the entropy weights. Algorithm,
    batches, clips and optimizer are ours.

    Args:
        algorithm: "ppo", or "vtrace" for the actor-critic with V-trace's targets, which is closest
            to the paper's A3C.
        gamma: Discount per step.
        episode_end: How returns treat the end of an episode. "termination": no reward follows.
            "truncation": the game would have gone on, and the value of the last view is added in
            place of the rewards cut off.
        matmul_dtype: Type of the matrix products of the learner's first dense layers and LSTMs:
            "float32", "bfloat16", or "auto" for bfloat16 on a processor with instructions for it,
            and float32 otherwise and on a GPU. On a GPU "bfloat16" applies to the first dense
            layers only, and LSTMs are float32. All weights and other products are always float32,
            and float32 is never TF32.
        optimizer: "adam" or "rmsprop".
        lr_init: Learning rate at the start.
        lr_end: Learning rate at the end of the annealing, and from then on.
        lr_anneal: Own-steps of the linear annealing from `lr_init` to `lr_end`.
        moa_lr: Learning rate of the model of others.
        weight_decay: PPO with Adam: each update shrinks each weight by this fraction, times the
            learning rate (AdamW), so that noise does not make weights grow until the LSTM's gates
            saturate.
        entropy: Weight of the policy's entropy at the start.
        entropy_end: Its weight at the end of the annealing, and from then on; the same as
            `entropy` if not given.
        entropy_anneal: Own-steps of the linear annealing from `entropy` to `entropy_end`.
        communication_entropy: Weight of the entropy of the symbols in the communication head's
            loss (§5).
        value_coefficient: Weight of the value losses.
        gradient_clip: Largest gradient norm of the policy and the layers that it shares.
        value_clip: Largest gradient norm of the value heads; PPO only, V-trace clips them together
            with the policy.
        moa_clip: Largest gradient norm of the model of others.
        horizon: PPO: steps of each game in a batch. Returns consist of real rewards up to the last
            step, and of the critic's estimate beyond it. A multiple of the segment.
        wait_for_arenas: PPO: whether training waits until all arenas have sent these steps. Once
            the first one has, it waits for the others at most a quarter of the time that the first
            took, and at most a minute. An arena that sent nothing for a whole batch is not waited
            for. If false, training starts when one arena has sent its steps, with what has arrived
            from others.
        advantages: PPO: estimator of advantages and value targets. "gae": generalised advantage
            estimation. "vtrace": V-trace, which corrects them for the lag between the policy that
            acted and the one that learns.
        gae_lambda: PPO with GAE: λ; with 1, the critic's estimate enters only at the end.
        chunk: PPO: steps of backpropagation through time; divides the segment. 0 for the whole
            segment.
        passes: PPO: passes over each batch.
        moa_passes: PPO: in how many of these passes the model of others learns.
        minibatch: PPO: approximate own-steps per update.
        ratio_clip: PPO: how far π/μ may move from 1 before a sample has no more effect.
        kl_limit: PPO: no further pass over the batch once KL(μ‖π) of actions and symbols together,
            averaged over a pass, exceeds this, in nats.
        normalise_advantages: PPO: advantages of a batch get mean 0 and deviation 1.
        normalise_values: PPO: the critic learns targets of mean 0 and deviation 1.
        value_gradient_limit: PPO: largest norm of the critic's gradient where it enters the layers
            shared with the policy, as a multiple of the norm of the policy's gradient there.
        rho_clip: V-trace's ρ̄, the clip of the importance weights in its targets.
        c_clip: V-trace's c̄, the clip of the importance weights in its traces.
        batch_segments: V-trace: most segments taken at once, of those that have arrived. No
            segment is waited for.
        update_games: V-trace: most games in one update. Segments taken at once are trained on in
            as many updates as that makes.
        checkpoint_seconds: Longest time between checkpoints while there are trained segments that
            are not durable.
        checkpoints_kept: Newest checkpoints that stay on disk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["ppo", "vtrace"] = "ppo"
    gamma: float = Field(default=0.99, ge=0, lt=1)
    episode_end: Literal["termination", "truncation"] = "termination"
    matmul_dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    optimizer: Literal["adam", "rmsprop"] = "adam"
    lr_init: Positive = 0.00126
    lr_end: NotNegative = 0.0002
    lr_anneal: Limit = 2e7
    moa_lr: Positive = 0.001
    weight_decay: NotNegative = 0.1
    entropy: NotNegative = 0.00176
    entropy_end: NotNegative | None = None
    entropy_anneal: Limit = 3e8
    communication_entropy: NotNegative = 0.001
    value_coefficient: NotNegative = 0.5
    gradient_clip: Limit = 40.0
    value_clip: Limit = 40.0
    moa_clip: Limit = 1.0
    horizon: int = Field(default=500, ge=1)
    wait_for_arenas: bool = True
    advantages: Literal["gae", "vtrace"] = "gae"
    gae_lambda: float = Field(default=1.0, ge=0, le=1)
    chunk: int = Field(default=0, ge=0)
    passes: int = Field(default=3, ge=1)
    moa_passes: int = Field(default=3, ge=0)
    minibatch: int = Field(default=4000, ge=1)
    ratio_clip: float = Field(default=0.3, gt=0)
    kl_limit: Limit = float("inf")
    normalise_advantages: bool = True
    normalise_values: bool = True
    value_gradient_limit: float = Field(default=1.0, ge=0)
    rho_clip: Limit = 1.0
    c_clip: Limit = 1.0
    batch_segments: int = Field(default=1, ge=1, le=1024)
    update_games: int = Field(default=24, ge=1, le=1_048_576)
    checkpoint_seconds: float = Field(default=15.0, gt=0)
    checkpoints_kept: int = Field(default=2, ge=1)

    def segments_per_batch(self, segment: int) -> int:
        """Segments of each game in a batch.

        Args:
            segment: Steps per segment.
        """
        return 1 if self.algorithm == "vtrace" else max(1, self.horizon // segment)

    def batch_threshold(self, segment: int, lanes: int) -> int:
        """Segments of an arena that are its share of a batch; 1 with V-trace.

        Args:
            segment: Steps per segment.
            lanes: Per arena.
        """
        return 1 if self.algorithm == "vtrace" else lanes * self.segments_per_batch(segment)

    def conflict(self, run: RunSettings) -> str | None:
        """Why these settings do not fit a run's [run] settings; None if they do."""
        if self.algorithm == "vtrace":
            return self._conflict_of_vtrace(run)
        segment, chunk, retained = run.segment, self.chunk, run.retained
        if self.horizon % segment:
            return f"horizon = {self.horizon}: wanted a multiple of the segment, {segment} steps"
        if chunk and segment % chunk:
            return f"chunk = {chunk}: wanted a divisor of the segment, {segment} steps"
        ahead = run.window * run.lanes * self.segments_per_batch(segment)
        if ahead > retained:
            return (
                f"horizon = {self.horizon}: an actor may be {ahead} segments ahead,"
                f" and would keep at most {retained}: wanted [run] retained of at least {ahead}"
            )
        return None

    def _conflict_of_vtrace(self, run: RunSettings) -> str | None:
        """Without determinism there is none: whatever has arrived is trained on."""
        if not run.deterministic or run.lanes <= run.retained:
            return None
        return (
            f'algorithm = "vtrace": each batch of a deterministic run has a segment of each of'
            f" {run.lanes} lanes, and an actor would keep at most {run.retained}: wanted [run]"
            f" retained of at least {run.lanes}"
        )

    def learning_rate_at(self, own_steps: int) -> float:
        """Learning rate after this many own-steps."""
        return _annealed(self.lr_init, self.lr_end, own_steps / self.lr_anneal)

    def entropy_at(self, own_steps: int) -> float:
        """Weight of the policy's entropy after this many own-steps."""
        end = self.entropy if self.entropy_end is None else self.entropy_end
        return _annealed(self.entropy, end, own_steps / self.entropy_anneal)


def _annealed(start: float, end: float, progress: float) -> float:
    """Linear from start to end, and constant from then on."""
    return start + (end - start) * min(1.0, progress)
