"""One agent's network and optimizer, with its counts of own-steps and updates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ssd_influence.networks.agent_network import make_network
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.networks.bfloat16 import has_fast_bfloat16
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.optimizer import MOMENTS, make_optimizer, parameter_groups
from ssd_learner.reporting.report import Scalars
from ssd_learner.schedule import ScheduledValues
from ssd_learner.settings import LearningSettings
from ssd_learner.targets.value_normalisation import ValueNormaliser


class Trainer:
    """The trained state of one agent.

    Args:
        shape: Which agent.
        network, experiment, learning: Sections of the run file.
        device: Of the network.
        seed: Of the initial weights; every agent derives its own from it.

    Attributes:
        own_steps: Agent-steps of this agent trained on.
        version: Number of updates, and so the version of the weights.
        groups: The network's parameters by "policy", "value" and "moa".
        value_normalisers: By head, "action" and "symbol"; empty where values are not normalised.
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
        self.network.set_matmul_dtype(_matmul_dtype(learning, device))
        self.groups = parameter_groups(self.network, learning)
        self.optimizer = make_optimizer(learning, self.groups)
        self.value_normalisers: dict[str, ValueNormaliser] = {}
        if learning.algorithm == "ppo":
            self.network.policy.value_gradient_limit = learning.value_gradient_limit
            if learning.normalise_values:
                self._add_value_normalisers()
        self.own_steps = 0
        self.version = 0

    def _add_value_normalisers(self) -> None:
        policy = self.network.policy
        self.value_normalisers["action"] = ValueNormaliser(policy.value)
        if policy.communication is not None:
            self.value_normalisers["symbol"] = ValueNormaliser(policy.communication.value)

    def scheduled_values(self) -> ScheduledValues:
        """Coefficients at the current number of own-steps."""
        return ScheduledValues(
            learning_rate=self.learning.learning_rate_at(self.own_steps),
            beta=self.experiment.beta_at(self.own_steps),
            entropy_weight=self.learning.entropy_at(self.own_steps),
        )

    def update(self, loss: Tensor, scheduled: ScheduledValues, *, with_moa: bool = True) -> Scalars:
        """One optimizer step; returns the gradient norm of each group, before clipping.

        The MOA's weights learn with their own rate and clip. `moa_weight` scales the MOA's gradient
        in the convolution only, which it shares with the policy: see `networks.moa_gradient`.

        Args:
            loss: To minimise.
            scheduled: Coefficients in use.
            with_moa: Whether the loss contains the MOA's. If not, the MOA's weights stay as they
                are, whatever momentum their optimizer has.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if not with_moa:  # its first layer is computed with the policy's, so it has a gradient of 0
            for parameter in self.groups.get("moa", []):
                parameter.grad = None
        norms = self._clip_gradients()
        for group in self.optimizer.param_groups:
            is_moa = group["name"] == "moa"
            group["lr"] = self.learning.moa_lr if is_moa else scheduled.learning_rate
        self.optimizer.step()
        self.version += 1
        return norms

    def _clip_gradients(self) -> Scalars:
        norms = {}
        clips = {
            "policy": self.learning.gradient_clip,
            "value": self.learning.value_clip,
            "moa": self.learning.moa_clip,
        }
        for name, parameters in self.groups.items():
            if all(parameter.grad is None for parameter in parameters):
                continue
            norms[f"{name}_gradient_norm"] = nn.utils.clip_grad_norm_(parameters, clips[name])
        return norms

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The weights by name, on the host.

        A network on the host gives the weights that it trains, without a copy. From a device they
        are copied, for which this waits.
        """
        weights = {name: tensor.detach() for name, tensor in self._parameters()}
        if self.device.type != "cpu":
            weights = _copied_to_host(weights)
        return {name: tensor.numpy() for name, tensor in weights.items()}

    def state(self) -> dict[str, Tensor]:
        """Weights, optimizer, value normalisers and random state by name, for `restore`."""
        tensors = {f"weights/{name}": tensor.detach() for name, tensor in self._parameters()}
        for name, parameter in self._parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"{self.learning.optimizer}/{name}/{key}"] = value
        for head, normaliser in self.value_normalisers.items():
            tensors[f"values/{head}"] = normaliser.state()
        tensors["random"] = torch.get_rng_state()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], own_steps: int, version: int) -> None:
        """Continue from what `state` returned.

        Raises:
            ValueError: the tensors are another network's or another optimizer's; then nothing has
                changed.
        """
        self._check(tensors)
        state = self.optimizer.state_dict()
        order = [p for group in self.optimizer.param_groups for p in group["params"]]
        number = {parameter: place for place, parameter in enumerate(order)}
        state["state"] = {}
        for name, parameter in self._parameters():
            parameter.data.copy_(tensors[f"weights/{name}"])
            prefix = f"{self.learning.optimizer}/{name}/"
            values = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            if values:
                state["state"][number[parameter]] = values
        self.optimizer.load_state_dict(state)
        for head, normaliser in self.value_normalisers.items():
            normaliser.restore(tensors[f"values/{head}"])
        torch.set_rng_state(tensors["random"])
        self.own_steps = own_steps
        self.version = version

    def _check(self, tensors: Mapping[str, Tensor]) -> None:
        groups = {name.partition("/")[0] for name in tensors}
        optimizers = groups - {"weights", "values", "random"}
        if optimizers - {self.learning.optimizer}:
            raise ValueError(f"wanted the optimizer {self.learning.optimizer}, found {optimizers}")
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        wanted = {f"weights/{name}": tuple(p.shape) for name, p in self._parameters()}
        wanted |= {f"values/{head}": (3,) for head in self.value_normalisers}
        wanted["random"] = tuple(torch.get_rng_state().shape)
        wanted |= self._optimizer_shapes(found)
        if wanted != found:
            differ = {n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n)}
            name = min(differ)
            raise ValueError(
                f"{name}: wanted shape {wanted.get(name, 'none')}, found {found.get(name, 'none')}"
                f" ({len(differ)} tensors differ)"
            )

    def _optimizer_shapes(self, found: Collection[str]) -> dict[str, tuple[int, ...]]:
        """Shapes of the optimizer's tensors, by name, for each weight that it has updated."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, parameter in self._parameters():
            prefix = f"{self.learning.optimizer}/{name}/"
            if any(key.startswith(prefix) for key in found):
                shapes[prefix + "step"] = ()
                for key in MOMENTS[self.learning.optimizer]:
                    shapes[prefix + key] = tuple(parameter.shape)
        return shapes

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.network.named_parameters()


def _copied_to_host(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Views of one copy of all weights: a copy for each of them would wait for the device again."""
    flat = torch.cat([tensor.flatten() for tensor in weights.values()]).cpu()
    parts = flat.split_with_sizes([tensor.numel() for tensor in weights.values()])
    named = zip(weights.items(), parts, strict=True)
    return {name: part.view(tensor.shape) for (name, tensor), part in named}


def _matmul_dtype(learning: LearningSettings, device: torch.device) -> torch.dtype:
    if learning.matmul_dtype == "auto":
        use_bfloat16 = device.type == "cpu" and has_fast_bfloat16()
    else:
        use_bfloat16 = learning.matmul_dtype == "bfloat16"
    return torch.bfloat16 if use_bfloat16 else torch.float32
