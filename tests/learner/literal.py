"""What the learner computes, in loops, one number at a time."""

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
    "inequity averse": {"influence": "off", "reward": "inequity_averse"},
    "communication": {
        "influence": "communication",
        "symbols": 3,
        "alpha": 0.7,
        "beta": 0.6,
        "communication_weight": 0.3,
    },
    "communication with MOA": {
        "influence": "moa_communication",
        "symbols": 3,
        "alpha": 0.7,
        "beta": 0.6,
        "moa_weight": 2.0,
        "communication_weight": 0.3,
    },
}


def gae_advantage(reward, discount, value, gae_lambda, s, b):
    """Equation 16 of the GAE paper: n-step advantages, weighted by (1 − λ) λⁿ⁻¹.

    The last of them, up to the end of the episode or of the table, has all the weight that is left.
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


def vtrace_target(log_ratio, reward, discount, value, clips, s, b):
    """Remark 1 of the IMPALA paper: v_s = V(x_s) + Σ_{t≥s} ( Π_{i=s}^{t−1} γ_i c_i ) δ_t V.

    Args:
        log_ratio, reward, discount: [T, B].
        value: [T+1, B].
        clips: ρ̄ and c̄.
        s, b: Of the target.
    """
    rho_clip, c_clip = clips
    if s == len(reward):
        return value[s, b]
    target = value[s, b]
    for t in range(s, len(reward)):
        product = 1.0
        for i in range(s, t):
            product *= discount[i, b] * min(c_clip, math.exp(log_ratio[i, b]))
        rho = min(rho_clip, math.exp(log_ratio[t, b]))
        target += product * rho * (reward[t, b] + discount[t, b] * value[t + 1, b] - value[t, b])
    return target


def estimates(reward, ended, value, log_ratio, learning):
    """[T, B] advantages and [T, B] targets of one head, by the estimator that the settings name.

    Args:
        reward: [T, B] of the head.
        ended: [T, B] whether the episode ended with a_t.
        value: [T+1, B].
        log_ratio: [T, B] log π − log μ, of all heads.
        learning: Settings.
    """
    discount = np.where(ended, 0.0, learning.gamma)
    reward = reward.astype(np.float64)
    if learning.episode_end == "truncation":
        for t, b in np.argwhere(ended):
            reward[t, b] += learning.gamma * value[t, b]
    advantages, targets = np.zeros(reward.shape), np.zeros(reward.shape)
    for s, b in np.ndindex(reward.shape):
        if learning.advantages == "gae":
            advantages[s, b] = gae_advantage(reward, discount, value, learning.gae_lambda, s, b)
            targets[s, b] = advantages[s, b] + value[s, b]
        else:
            table = log_ratio, reward, discount, value, (learning.rho_clip, learning.c_clip)
            targets[s, b] = vtrace_target(*table, s, b)
            following = vtrace_target(*table, s + 1, b)
            advantages[s, b] = reward[s, b] + discount[s, b] * following - value[s, b]
    return advantages, targets


def head_rewards(segment, experiment, beta):
    """[T, B] rewards of actions, and of symbols."""
    rewards = np.zeros((2, *segment.reward.shape))
    for t, b in np.ndindex(segment.reward.shape):
        if segment.shaped_reward is None:
            e = float(segment.reward[t, b])
            e = max(-experiment.reward_clip, min(experiment.reward_clip, e))
        else:
            e = float(segment.shaped_reward[t, b])
        with_influence = experiment.alpha * e + beta * float(segment.influence[t, b])
        of_symbols = experiment.influence in ("communication", "moa_communication")
        rewards[:, t, b] = (e, with_influence) if of_symbols else (with_influence, e)
    return rewards


def log_ratio(policy_logits, symbol_logits, segment, agent):
    """[T, B] log π − log μ of the agent's action and, with communication, its symbol.

    Args:
        policy_logits: [T+1, B, A] of π.
        symbol_logits: [T+1, B, V], or None.
        segment: Has what the agent did, with its log-probabilities under μ.
        agent: Its number.
    """
    total = np.zeros(segment.reward.shape)
    for t, b in np.ndindex(total.shape):
        action = segment.actions[t + 1, b, agent]
        total[t, b] += math.log(_softmax(policy_logits[t, b].double().numpy())[action])
        total[t, b] -= segment.log_prob[t, b]
        if symbol_logits is not None:
            symbol = segment.symbols[t + 1, b, agent]
            total[t, b] += math.log(_softmax(symbol_logits[t, b].double().numpy())[symbol])
            total[t, b] -= segment.symbol_log_prob[t, b]
    return total


def clipped_losses(logits, values, samples, ratio_clip):
    """Means over a minibatch of one head's PPO losses; `samples` are `HeadSamples`."""
    log_policy = np.log(_softmax(logits.detach().double().numpy()))
    values = values.detach().double().numpy()
    actions, log_prob, advantages, targets = (of.numpy() for of in samples)
    sums = dict.fromkeys(("policy_loss", "value_loss", "entropy", "kl", "clipped_share"), 0.0)
    for t, m in np.ndindex(actions.shape):
        log_ratio = log_policy[t, m, actions[t, m]] - float(log_prob[t, m])
        ratio, advantage = math.exp(log_ratio), float(advantages[t, m])
        clipped = max(1 - ratio_clip, min(1 + ratio_clip, ratio))
        sums["policy_loss"] -= min(ratio * advantage, clipped * advantage)
        sums["value_loss"] += 0.5 * (values[t, m] - targets[t, m]) ** 2
        sums["entropy"] -= sum(math.exp(log_p) * log_p for log_p in log_policy[t, m])
        sums["kl"] += ratio - 1 - log_ratio
        sums["clipped_share"] += ratio != clipped
    return {name: total / actions.size for name, total in sums.items()}


def moa_loss(logits, actions, is_first, visible, others, only_when_visible):
    """The mean cross-entropy of a_{t+1} over all (t, j) that count, and their number.

    Args:
        logits: [T, B, J, A].
        actions: [T+2, B, N] a_{−1} … a_T.
        is_first: [T+1, B].
        visible: [T+1, B, N].
        others: The J other agents.
        only_when_visible: Whether only agents in view count.
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
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)
