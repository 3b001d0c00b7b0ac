"""Which inference a network gets: kernels for ours, torch for a custom one."""

from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.inference.torch_inference import TorchInference
from ssd_influence.networks.agent_network import AgentNetwork


def make_inference(network: AgentNetwork, num_games: int) -> KernelInference | TorchInference:
    """Inference for a network in B games. A subclass may override anything, so it gets torch.

    Args:
        network: on the host, float32.
        num_games: B.
    """
    is_ours = type(network) is AgentNetwork
    return KernelInference(network, num_games) if is_ours else TorchInference(network, num_games)
