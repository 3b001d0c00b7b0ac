"""Draws frames of one episode of trained agents. Arguments: the run directory, the picture."""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from ssd_envs import parallel
from ssd_envs.spec import EVENTS
from ssd_lab.evaluation.play import load_agents

SHOWN = 100, 400, 700  # steps
SEED = 3  # of the episode

torch.set_num_threads(1)
agents = load_agents(Path(sys.argv[1]))
env = parallel.cleanup(render_mode="rgb_array", observations="palette")
observations, _ = env.reset(seed=SEED)
names = env.possible_agents
actions, is_first = np.zeros((1, len(names)), np.uint8), np.array([True])

figure = Figure(figsize=(4 * len(SHOWN), 5.4), layout="constrained")
panels = iter(figure.subplots(1, len(SHOWN)))
eaten = np.zeros(len(names))
for step in range(max(SHOWN) + 1):
    if step in SHOWN:
        panel = next(panels)
        panel.imshow(env.render())
        panel.set_title(f"step {step}: {eaten.sum():.0f} apples eaten")
        panel.axis("off")
    actions = np.array(
        [
            [agent.act(observations[name][None], actions, is_first)[0]]
            for agent, name in zip(agents, names, strict=True)
        ],
        np.uint8,
    ).reshape(1, -1)
    is_first[:] = False
    observations, _, _, _, infos = env.step(dict(zip(names, actions[0].tolist(), strict=True)))
    eaten = np.array([infos[name]["apples"] for name in names])
figure.savefig(sys.argv[2], dpi=80)
for name in names:
    print(name, {event: int(infos[name][event]) for event in EVENTS if event in infos[name]})
