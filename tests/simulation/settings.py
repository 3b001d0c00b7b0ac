"""What differs between histories from the start: sizes of the run, limits, and the network."""

import math
from dataclasses import dataclass, replace

from tests.simulation.world.network import Conditions

from ssd_influence.roles import optional_axes, role_of
from ssd_influence.settings import ExperimentSettings
from ssd_learner.settings import LearningSettings
from ssd_wire.dims import Dims

FINGERPRINT = "this run"
ACTIONS, VIEW, COLOURS, STATE = 4, 3, 256, 2
EXPERIMENTS = {
    "plain": ExperimentSettings(influence="off"),
    "leader": ExperimentSettings(influence="off", leaders=1),
    "symbols": ExperimentSettings(influence="off", symbols=3),
    "rewards": ExperimentSettings(influence="off", reward="prosocial"),
}
ALGORITHMS = ("ppo", "vtrace")
LEARNING = {name: LearningSettings(algorithm=name, batch_segments=3) for name in ALGORITHMS}


@dataclass(frozen=True)
class Settings:
    """One history's.

    Attributes:
        arenas, agents, lanes, games, segment, retained: As in the run file.
        horizon: Ticks per episode.
        window, batch_threshold, budget, wait_for_arenas: As `ssd_learner.learner.Learner` takes
            them.
        experiment: A name of `EXPERIMENTS`.
        algorithm: A name of `ALGORITHMS`.
        deterministic: Whether the order of training must not depend on faults.
        reward_delay: Timesteps after its step at which an intrinsic reward is known; 0 for none.
        checkpoint_seconds: Between checkpoints.
        training_seconds: Longest time that training on a batch takes.
        seconds: Of the part with faults.
        faults: Number of faults.
        conditions: Of the network.
    """

    arenas: int
    agents: int
    lanes: int
    games: int
    segment: int
    retained: int
    horizon: int
    window: int
    batch_threshold: int
    budget: float
    wait_for_arenas: bool
    experiment: str
    algorithm: str
    deterministic: bool
    reward_delay: int
    checkpoint_seconds: float
    training_seconds: float
    seconds: float
    faults: int
    conditions: Conditions

    @property
    def segment_steps(self):
        """Own-steps in a segment."""
        return self.segment * self.games

    def role(self, agent):
        """What an agent knows of the others."""
        return role_of(EXPERIMENTS[self.experiment], agent, self.agents)

    def dims(self, agent):
        """Of an agent's messages."""
        return Dims(
            B=self.games,
            N=self.agents,
            A=ACTIONS,
            W=VIEW,
            P=COLOURS,
            T=self.segment,
            S=STATE,
            **optional_axes(self.role(agent), EXPERIMENTS[self.experiment], ACTIONS),
        )


def draw_settings(rng):
    """The settings of one history."""
    agents = rng.choice((1, 2, 2))
    lanes = rng.choice((1, 1, 2))
    batch = rng.choice((1, 1, 2))  # segments per lane
    algorithm = rng.choice(ALGORITHMS)
    window = rng.choice((1, 2)) * batch
    seconds = rng.choice((2.0, 3.0, 4.0, 6.0, 8.0)) if rng.random() < 0.97 else 100.0
    return Settings(
        arenas=rng.choice((1, 1, 1, 2)) if agents == 2 else rng.choice((1, 2)),
        agents=agents,
        lanes=lanes,
        games=rng.choice((1, 1, 2)),
        segment=rng.choice((1, 2, 2, 3)),
        retained=window * lanes + rng.choice((0, 1, 2, 8)),
        horizon=rng.choice((3, 5, 8)),
        window=window,
        batch_threshold=1 if algorithm == "vtrace" else lanes * batch,
        budget=rng.choice((math.inf, math.inf, math.inf, 12, 40)),
        wait_for_arenas=algorithm == "ppo" and rng.choice((True, False)),
        experiment=rng.choice(_experiments(agents)),
        algorithm=algorithm,
        deterministic=False,
        reward_delay=rng.choice((0, 1, 2)),
        checkpoint_seconds=rng.choice((0.5, 2.0, 15.0)),
        training_seconds=rng.choice((0.0, 0.3, 1.0)),
        seconds=seconds,
        faults=rng.choice((2, 3, 4, 6, 8)),
        conditions=Conditions(
            latency=rng.choice((0.1, 0.2, 0.4, 0.4)),
            spike=rng.choice((0.0, 0.0, 0.03)),
            loss=rng.choice((0.0, 0.02, 0.1)),
            repetition=rng.choice((0.0, 0.02, 0.1)),
            capacity=rng.choice((4, 8, 64)),
        ),
    )


def draw_deterministic_settings(rng):
    """The settings of one history of a deterministic run."""
    settings = draw_settings(rng)
    batch = max(1, settings.batch_threshold // settings.lanes)
    return replace(
        settings,
        arenas=1,
        window=batch,
        batch_threshold=batch * settings.lanes,
        retained=max(settings.retained, batch * settings.lanes),
        budget=math.inf,
        deterministic=True,
        seconds=rng.choice((5.0, 10.0)),
        training_seconds=min(settings.training_seconds, 0.3),
        conditions=replace(settings.conditions, latency=0.05),
    )


def _experiments(agents):
    return ("plain",) if agents == 1 else ("plain", "plain", "leader", "symbols", "rewards")
