"""Segments in which the agent acted with exactly the weights that it has."""

from dataclasses import replace

import torch

from ssd_learner.segments.batch import stack_games


def on_policy(trainer, segment):
    """The segment, with the log-probabilities that the trainer's network gives."""
    batch = stack_games([segment], torch.device("cpu"))
    inputs = batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
    with torch.no_grad():
        unroll = trainer.network.unroll(*inputs)
    k, found = trainer.shape.agent, {}
    heads = [("log_prob", unroll.policy_logits, batch.actions[1:-1, :, k])]
    if batch.symbols is not None:
        heads.append(("symbol_log_prob", unroll.symbol_logits, batch.symbols[1:, :, k]))
    for name, logits, action in heads:
        log_policy = logits[:-1].log_softmax(-1)
        found[name] = log_policy.gather(-1, action.unsqueeze(-1)).squeeze(-1).numpy()
    return replace(segment, **found)
