"""One agent's network, its optimizer and its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ssd_influence.network import AgentShape, make_network
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.batch import Batch
from ssd_learner.losses import Weights, losses
from ssd_learner.settings import LearningSettings


@dataclass(frozen=True)
class Report:
    """What one update looked like: means over its batch.

    Attributes:
        policy_loss, value_loss: unweighted.
        entropy: of the policy, nats.
        symbol_policy_loss, symbol_value_loss, symbol_entropy: the same of the communication head.
        moa_loss: cross-entropy of the others' next actions, nats, unweighted.
        moa_marginal_entropy: of the others' actions over the same (t, j), nats.
        influence: c per own-step, nats.
        reward: the environment's, per own-step.
        gradient_norm: before the clip.
        learning_rate, beta: as used.
    """

    policy_loss: float = 0.0
    value_loss: float = 0.0
    entropy: float = 0.0
    symbol_policy_loss: float = 0.0
    symbol_value_loss: float = 0.0
    symbol_entropy: float = 0.0
    moa_loss: float = 0.0
    moa_marginal_entropy: float = 0.0
    influence: float = 0.0
    reward: float = 0.0
    gradient_norm: float = 0.0
    learning_rate: float = 0.0
    beta: float = 0.0


class Trainer:
    """Improves one agent's weights, a batch at a time.

    Args:
        shape: Who the agent is.
        network, experiment, learning: Sections of the run file.
        device: Where the network lives.
        seed: Of the first weights; every agent draws its own from it.

    Attributes:
        own_steps: Agent-steps of this agent trained on.
        version: Updates made, and so the version of the weights.
    """

    def __init__(
        self,
        shape: AgentShape,
        network: NetworkSettings,
        experiment: ExperimentSettings,
        learning: LearningSettings,
        device: torch.device,
        seed: int,
    ) -> None:
        entropy = np.random.SeedSequence((seed, shape.agent)).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(entropy))
        self.shape = shape
        self.experiment = experiment
        self.learning = learning
        self.device = device
        self.network = make_network(shape, network, experiment).to(device)
        self.optimizer = _optimizer(learning, list(self.network.parameters()))
        self.own_steps = 0
        self.version = 0

    def learn(self, batch: Batch) -> Report:
        """One update, and what it looked like."""
        learning_rate = self.learning.learning_rate_at(self.own_steps)
        weights = Weights(
            beta=self.experiment.beta_at(self.own_steps),
            entropy=self.learning.entropy_at(self.own_steps),
        )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = losses(self.network, batch, self.shape, self.experiment, self.learning, weights)
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.learning.gradient_clip)
        self.optimizer.step()
        self.own_steps += batch.steps
        self.version += 1
        numbers = {
            "policy_loss": loss.acting.policy,
            "value_loss": loss.acting.value,
            "entropy": loss.acting.entropy,
            "moa_loss": loss.moa,
            "moa_marginal_entropy": loss.moa_marginal,
            "influence": batch.influence.mean(),
            "reward": batch.reward.mean(),
            "gradient_norm": norm,
        }
        if loss.speaking is not None:
            numbers |= {
                "symbol_policy_loss": loss.speaking.policy,
                "symbol_value_loss": loss.speaking.value,
                "symbol_entropy": loss.speaking.entropy,
            }
        values = torch.stack(list(numbers.values())).tolist()  # one wait for the device, not eight
        report = dict(zip(numbers, values, strict=True))
        return Report(**report, learning_rate=learning_rate, beta=weights.beta)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The weights by name, on the host; of a network that lives there the very same memory."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._parameters()}

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizer, by name: what `restore` takes."""
        tensors = {f"weights/{name}": tensor.detach() for name, tensor in self._parameters()}
        names = [name for name, _ in self._parameters()]
        for number, values in self.optimizer.state_dict()["state"].items():
            prefix = f"{self.learning.optimizer}/{names[number]}"
            tensors |= {f"{prefix}/{key}": value for key, value in values.items()}
        tensors["random"] = torch.get_rng_state()
        return tensors

    def restore(self, tensors: dict[str, Tensor], own_steps: int, version: int) -> None:
        """Become the trainer that gave this state.

        Raises:
            ValueError: when the tensors are another network's, or another optimizer's; then
                nothing has changed.
        """
        wanted = {f"weights/{name}": tuple(p.shape) for name, p in self._parameters()}
        found = {n: tuple(t.shape) for n, t in tensors.items() if n.startswith("weights/")}
        if wanted != found:
            raise ValueError(f"wanted tensors {wanted}, found {found}")
        kinds = {name.partition("/")[0] for name in tensors} - {"weights", "random"}
        if kinds - {self.learning.optimizer}:
            raise ValueError(f"wanted the optimizer {self.learning.optimizer}, found {kinds}")
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {}
        for number, (name, parameter) in enumerate(self._parameters()):
            parameter.data.copy_(tensors[f"weights/{name}"])
            prefix = f"{self.learning.optimizer}/{name}/"
            values = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            if values:
                optimizer["state"][number] = values
        self.optimizer.load_state_dict(optimizer)
        torch.set_rng_state(tensors["random"])
        self.own_steps = own_steps
        self.version = version

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.network.named_parameters()


def _optimizer(learning: LearningSettings, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    if learning.optimizer == "adam":
        return torch.optim.Adam(weights, lr=learning.lr_init, fused=True)
    return torch.optim.RMSprop(weights, lr=learning.lr_init, foreach=True)
