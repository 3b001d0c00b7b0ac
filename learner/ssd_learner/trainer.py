"""One agent's network, its optimizer and its clocks."""

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
from ssd_learner.reporting.report import Numbers, Weights
from ssd_learner.settings import LearningSettings
from ssd_learner.targets.value_normalisation import ValueScale

_MOMENTS = {"adam": ("exp_avg", "exp_avg_sq"), "rmsprop": ("square_avg",)}  # as torch names them


class Trainer:
    """All that is trained of one agent.

    Args:
        shape: Who the agent is.
        network, experiment, learning: Sections of the run file.
        device: Where the network lives.
        seed: Of the first weights; every agent draws its own from it.

    Attributes:
        own_steps: Agent-steps of this agent trained on.
        version: Updates made, and so the version of the weights.
        scales: Of the value heads, by their names; none where values are not normalised.
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
        self.network.set_matmul_dtype(_products(learning, device))
        self.parts = _parts(self.network, learning)
        self.optimizer = _optimizer(learning, self.parts)
        self.scales: dict[str, ValueScale] = {}
        if learning.algorithm == "ppo":
            self.network.policy.value_gradient_limit = learning.value_pull
            if learning.normalise_values:
                self.scales["acting"] = ValueScale(self.network.policy.value)
                if self.network.policy.communication is not None:
                    head = self.network.policy.communication.value
                    self.scales["speaking"] = ValueScale(head)
        self.own_steps = 0
        self.version = 0

    def weights(self) -> Weights:
        """Of what the agent's clock changes, now."""
        return Weights(
            learning_rate=self.learning.learning_rate_at(self.own_steps),
            beta=self.experiment.beta_at(self.own_steps),
            entropy=self.learning.entropy_at(self.own_steps),
        )

    def update(self, loss: Tensor, weights: Weights, moa: bool = True) -> Numbers:
        """One step down the gradient of a loss; the norm of each part's gradient, before its clip.

        The loss holds the MOA's loss times `moa_weight`, which is its pull on the convolution that
        it shares with the policy. Its own weights learn by an optimizer of their own, as from the
        loss itself.

        Args:
            loss: To go down.
            weights: Of what the agent's clock changes.
            moa: Whether the loss holds the MOA's. If not the MOA stays as it is, whatever momentum
                its optimizer has.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if not moa:  # its first layer is computed with the policy's, so it has a gradient of 0
            for parameter in self.parts.get("moa", []):
                parameter.grad = None
        norms, learning = {}, self.learning
        clips = {
            "policy": learning.gradient_clip,
            "value": learning.value_clip,
            "moa": learning.moa_clip,
        }
        for name, parameters in self.parts.items():
            gradients = [p.grad for p in parameters if p.grad is not None]
            if not gradients:
                continue
            if name == "moa" and self.experiment.moa_weight > 0:
                torch._foreach_div_(gradients, self.experiment.moa_weight)
            norms[f"{name}_gradient_norm"] = nn.utils.clip_grad_norm_(parameters, clips[name])
        for group in self.optimizer.param_groups:
            group["lr"] = learning.moa_lr if group["part"] == "moa" else weights.learning_rate
        self.optimizer.step()
        self.version += 1
        return norms

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The weights by name, on the host; of a network that lives there the very same memory."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._parameters()}

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizer, by name: what `restore` takes."""
        tensors = {f"weights/{name}": tensor.detach() for name, tensor in self._parameters()}
        for name, parameter in self._parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"{self.learning.optimizer}/{name}/{key}"] = value
        tensors |= {f"values/{head}": scale.state() for head, scale in self.scales.items()}
        tensors["random"] = torch.get_rng_state()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], own_steps: int, version: int) -> None:
        """Become the trainer that gave this state.

        Raises:
            ValueError: when the tensors are another network's, or another optimizer's; then
                nothing has changed.
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
        for head, scale in self.scales.items():
            scale.restore(tensors[f"values/{head}"])
        torch.set_rng_state(tensors["random"])
        self.own_steps = own_steps
        self.version = version

    def _check(self, tensors: Mapping[str, Tensor]) -> None:
        kinds = {name.partition("/")[0] for name in tensors} - {"weights", "values", "random"}
        if kinds - {self.learning.optimizer}:
            raise ValueError(f"wanted the optimizer {self.learning.optimizer}, found {kinds}")
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        wanted = {f"weights/{name}": tuple(p.shape) for name, p in self._parameters()}
        wanted |= {f"values/{head}": (3,) for head in self.scales}
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
        """By name, the optimizer's tensors of every weight that it has moved."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, parameter in self._parameters():
            prefix = f"{self.learning.optimizer}/{name}/"
            if any(key.startswith(prefix) for key in found):
                shapes[prefix + "step"] = ()
                for key in _MOMENTS[self.learning.optimizer]:
                    shapes[prefix + key] = tuple(parameter.shape)
        return shapes

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.network.named_parameters()


def _parts(network: nn.Module, learning: LearningSettings) -> dict[str, list[nn.Parameter]]:
    """The weights by what their gradients are clipped with."""
    parts: dict[str, list[nn.Parameter]] = {"policy": [], "value": [], "moa": []}
    values = ("policy.value.", "policy.communication.value.")
    for name, parameter in network.named_parameters():
        if name.startswith("moa."):
            parts["moa"].append(parameter)
        elif name.startswith(values) and learning.algorithm == "ppo":
            parts["value"].append(parameter)
        else:
            parts["policy"].append(parameter)
    return {name: parameters for name, parameters in parts.items() if parameters}


def _products(learning: LearningSettings, device: torch.device) -> torch.dtype:
    """What matrix products are taken in."""
    if learning.products == "auto":
        pays = device.type == "cpu" and has_fast_bfloat16()
        return torch.bfloat16 if pays else torch.float32
    return torch.bfloat16 if learning.products == "bfloat16" else torch.float32


def _optimizer(
    learning: LearningSettings, parts: Mapping[str, list[nn.Parameter]]
) -> torch.optim.Optimizer:
    groups = [{"params": parameters, "part": name} for name, parameters in parts.items()]
    if learning.optimizer == "adam":
        decay = learning.weight_decay if learning.algorithm == "ppo" else 0.0
        return torch.optim.AdamW(groups, lr=learning.lr_init, weight_decay=decay, fused=True)
    return torch.optim.RMSprop(groups, lr=learning.lr_init, foreach=True)
