"""The loss of the model of other agents (MOA), its targets and their mask."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ssd_influence.networks.layers import one_hot


def moa_targets(actions: Tensor, others: Sequence[int]) -> Tensor:
    """What the MOA should predict at t = 0 … T−1: a_{t+1} of each other agent.

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
    """Which targets count.

    An episode's last step has no target, since a_{t+1} belongs to the next episode. If the MOA
    learns only about agents in view, those out of view in s_t do not count.

    Args:
        is_first: [T+1, B] bool, where s_t is the first view of an episode.
        visible: [T+1, B, N] bool, which agents are in view in s_t.
        others: the J other agents' numbers, ascending.
        only_when_visible: whether agents out of view are left out.

    Returns:
        [T, B, J] bool.
    """
    same_episode = ~is_first[1:].unsqueeze(-1)
    in_view = _of_others(visible[:-1], others)
    return same_episode & in_view if only_when_visible else same_episode.expand_as(in_view)


def moa_loss(moa_logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of a_{t+1} in nats, averaged over the targets that count; 0 if none does.

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
    """The smallest loss of a MOA that ignores its inputs.

    A loss below this shows that the MOA uses its inputs. It is the entropy in nats of each agent's
    actions over the steps that count, averaged over agents weighted by their number of steps.

    Args:
        targets: [T, B, J] long.
        mask: [T, B, J] bool.
        num_actions: A.

    Returns:
        [] float32; 0 if nothing counts.
    """
    taken = one_hot(targets, num_actions) & mask.unsqueeze(-1)
    counts = taken.sum((0, 1)).float()  # [J, A]
    steps = counts.sum(-1, keepdim=True)  # [J, 1]
    share = counts / steps.clamp(min=1)
    entropy = -torch.xlogy(share, share).sum(-1, keepdim=True)
    return (entropy * steps).sum() / steps.sum().clamp(min=1)


def _of_others(of_all: Tensor, others: Sequence[int]) -> Tensor:
    """[..., N] → [..., J], without an index list, which would be copied to a GPU synchronously."""
    return torch.stack([of_all[..., j] for j in others], -1)
