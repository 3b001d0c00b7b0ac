"""What PPO computes, literally: in loops, one number at a time."""

import itertools
import math

import numpy as np

EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "influence": {
        "influence": "moa",
        "beta": 0.6,
        "alpha": 0.8,
        "moa_weight": 1.3,
        "moa_only_when_visible": True,
    },
    "averse to inequity": {"influence": "off", "reward": "inequity_averse"},
    "communication": {
        "influence": "communication",
        "symbols": 3,
        "alpha": 0.7,
        "beta": 0.6,
        "communication_weight": 0.3,
    },
    "communication by MOA": {
        "influence": "moa_communication",
        "symbols": 3,
        "alpha": 0.7,
        "beta": 0.6,
        "moa_weight": 2.0,
        "communication_weight": 0.3,
    },
}


def advantage(reward, discount, value, gae_lambda, s, b):
    """Equation 16 of the GAE paper: n-step advantages, weighted by (1 − λ) λⁿ⁻¹.

    The last of them, up to the end of the episode or of what there is, has all weight that is left.
    """
    steps = 1
    while discount[s + steps - 1, b] and s + steps < len(reward):
        steps += 1

    def n_step(n):
        total, weight = 0.0, 1.0
        for t in range(s, s + n):
            total += weight * reward[t, b]
            weight *= discount[t, b]
        return total + weight * value[s + n, b] - value[s, b]

    mixed = sum((1 - gae_lambda) * gae_lambda ** (n - 1) * n_step(n) for n in range(1, steps))
    return mixed + gae_lambda ** (steps - 1) * n_step(steps)


def estimates(reward, ended, value, learning):
    """[T, B] advantages, and [T, B] returns, of what one head is paid."""
    advantages = np.zeros(reward.shape)
    discount = np.where(ended, 0.0, learning.gamma)
    paid = reward.astype(np.float64)
    if learning.horizon_ends == "truncation":
        for t, b in np.argwhere(ended):
            paid[t, b] += learning.gamma * value[t, b]
    for s, b in np.ndindex(reward.shape):
        advantages[s, b] = advantage(paid, discount, value, learning.gae_lambda, s, b)
    return advantages, advantages + value[:-1]


def paid(segment, experiment, learning, beta):
    """[T, B] of acting, and of speaking."""
    rewards = np.zeros((2, *segment.reward.shape))
    for t, b in np.ndindex(segment.reward.shape):
        e = float(
            (segment.reward if segment.shaped_reward is None else segment.shaped_reward)[t, b]
        )
        e = max(-learning.reward_clip, min(learning.reward_clip, e))
        both = experiment.alpha * e + beta * float(segment.influence[t, b])
        of_symbols = experiment.influence in ("communication", "moa_communication")
        rewards[:, t, b] = (e, both) if of_symbols else (both, e)
    return rewards


def head_losses(logits, values, choices, ratio_clip):
    """Means over a minibatch of one head's losses; `choices` as `clipped_losses` has them."""
    log_policy = np.log(_softmax(logits.detach().double().numpy()))
    values = values.detach().double().numpy()
    chosen, log_prob, advantages, targets = (of.numpy() for of in choices)
    sums = dict.fromkeys(("policy_loss", "value_loss", "entropy", "kl", "clipped_share"), 0.0)
    for t, m in np.ndindex(chosen.shape):
        log_ratio = log_policy[t, m, chosen[t, m]] - float(log_prob[t, m])
        ratio, gain = math.exp(log_ratio), float(advantages[t, m])
        inside = max(1 - ratio_clip, min(1 + ratio_clip, ratio))
        sums["policy_loss"] -= min(ratio * gain, inside * gain)
        sums["value_loss"] += 0.5 * (values[t, m] - targets[t, m]) ** 2
        sums["entropy"] -= sum(math.exp(log_p) * log_p for log_p in log_policy[t, m])
        sums["kl"] += ratio - 1 - log_ratio
        sums["clipped_share"] += ratio != inside
    return {name: total / chosen.size for name, total in sums.items()}


def moa_loss(logits, actions, is_first, visible, others, only_when_visible):
    """The mean cross-entropy of a_{t+1} over all (t, j) that count, and how many these are.

    Args:
        logits: [T, B, J, A].
        actions: [T + 2, B, N] a_{−1} … a_T.
        is_first: [T + 1, B].
        visible: [T + 1, B, N].
        others: The J other agents.
        only_when_visible: Whether only those count that were in view.
    """
    policy = _softmax(logits.detach().double().numpy())
    loss = counted = 0
    for t, b in itertools.product(*map(range, policy.shape[:2])):
        if is_first[t + 1, b]:
            continue
        for place, j in enumerate(others):
            if not only_when_visible or visible[t, b, j]:
                loss -= math.log(policy[t, b, place, actions[t + 2, b, j]])
                counted += 1
    return loss / counted, counted


def _softmax(logits):
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)
