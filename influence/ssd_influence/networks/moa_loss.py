"""What the MOA learns from: which predictions count, and what they cost."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ssd_influence.networks.layers import one_hot


def moa_targets(actions: Tensor, others: Sequence[int]) -> Tensor:
    """What the MOA should have predicted at t = 0 … T−1: a_{t+1} of each other agent.

    Args:
        actions: [T+2, B, N] integer, a_{−1} … a_T.
        others: the J other agents' numbers, ascending.

    Returns:
        [T, B, J] long.
    """
    return _of_others(actions[2:], others).long()


def moa_targets_mask(
    is_first: Tensor, visible: Tensor, others: Sequence[int], only_when_visible: bool
) -> Tensor:
    """Which of those targets count.

    None at an episode's last step, since a_{t+1} belongs to the next episode; and where the MOA
    learns only about agents in view, those that were in view in s_t.

    Args:
        is_first: [T+1, B] bool, where s_t is the first view of an episode.
        visible: [T+1, B, N] bool, whom the agent saw in s_t.
        others: the J other agents' numbers, ascending.
        only_when_visible: whether an agent out of view is left out.

    Returns:
        [T, B, J] bool.
    """
    same_episode = ~is_first[1:].unsqueeze(-1)
    seen = _of_others(visible[:-1], others)
    return same_episode & seen if only_when_visible else same_episode.expand_as(seen)


def moa_loss(moa_logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of a_{t+1} in nats, the mean over what counts; 0 where nothing does.

    Args:
        moa_logits: [T, B, J, A] float.
        targets: [T, B, J] long.
        mask: [T, B, J] bool.

    Returns:
        [] not yet weighted.
    """
    losses = cross_entropy(moa_logits.flatten(0, 2), targets.flatten(), reduction="none")
    return (losses * mask.flatten()).sum() / mask.sum().clamp(min=1)


def action_marginal_entropy(targets: Tensor, mask: Tensor, num_actions: int) -> Tensor:
    """The loss of a MOA that knows how often each agent takes each action, and nothing else.

    A MOA has learnt to look when its loss is below this: the entropy in nats of each agent's
    actions over the steps that count, the agents weighted by how many of their steps do.

    Args:
        targets: [T, B, J] long.
        mask: [T, B, J] bool.
        num_actions: A.

    Returns:
        [] float32; 0 where nothing counts.
    """
    taken = one_hot(targets, num_actions) & mask.unsqueeze(-1)
    counts = taken.sum((0, 1)).float()  # [J, A]
    steps = counts.sum(-1, keepdim=True)  # [J, 1]
    share = counts / steps.clamp(min=1)
    entropy = -torch.xlogy(share, share).sum(-1, keepdim=True)
    return (entropy * steps).sum() / steps.sum().clamp(min=1)


def _of_others(of_all: Tensor, others: Sequence[int]) -> Tensor:
    """[..., N] → [..., J]; a list as an index would be sent to a GPU, and waited for."""
    return torch.stack([of_all[..., j] for j in others], -1)
