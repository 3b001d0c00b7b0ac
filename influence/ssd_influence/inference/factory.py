"""How an agent acts on a CPU: by kernels where the network is ours, else by its own methods."""

from ssd_influence.inference.kernel_inference import Inference
from ssd_influence.inference.torch_inference import Stepping
from ssd_influence.networks.agent_network import AgentNetwork


def inference_for(network: AgentNetwork, games: int) -> Inference | Stepping:
    """What steps through a network in B games: a subclass of one's own by its own methods.

    Args:
        network: on the host, float32.
        games: B.
    """
    return Inference(network, games) if type(network) is AgentNetwork else Stepping(network, games)
