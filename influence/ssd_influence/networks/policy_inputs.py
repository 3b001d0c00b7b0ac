"""What a policy is told of the other agents, beside what it sees: one-hot inputs of its LSTM."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from ssd_influence.networks.layers import one_hot
from ssd_influence.roles import Part
from ssd_influence.settings import ExperimentSettings

News = TypeVar("News")


class Told(nn.Module):
    """The actions of the agents it knows about, then the symbols of all others, if any are said.

    Of an agent that it follows it knows what it does in this step, of all others what they did in
    the step before. Agents are in ascending order of their numbers, whether or not in view.

    Args:
        part: of the agent whose policy is told.
        experiment: who sees whose actions, and says what.
        num_actions: A.

    Attributes:
        seen: [S] the agents whose actions it is told.
        leaders: [L] those of them that it follows.
        followed: [L] where in `seen` these are.
        heard: [J] the agents whose symbols it is told.
        groups: how many one-hot inputs there are of each width, in their order.
    """

    seen: Tensor
    leaders: Tensor
    followed: Tensor
    heard: Tensor

    def __init__(self, part: Part, experiment: ExperimentSettings, num_actions: int) -> None:
        super().__init__()
        seen = part.others if experiment.visible_actions else part.follows
        heard = part.others if experiment.symbols else ()
        for name, numbers in (
            ("seen", seen),
            ("leaders", part.follows),
            ("followed", [seen.index(j) for j in part.follows]),
            ("heard", heard),
        ):
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.long), persistent=False)
        self.groups = ((len(seen), num_actions), (len(heard), experiment.symbols))

    @property
    def width(self) -> int:
        """Floats of all one-hot inputs together."""
        return sum(inputs * values for inputs, values in self.groups)

    def forward(
        self,
        actions_tm1: Tensor,
        is_first_t: Tensor,
        leaders_t: Tensor | None,
        symbols_tm1: Tensor | None,
    ) -> list[Tensor]:
        """The inputs, as bools: of actions [..., S·A], of symbols [..., J·V]; what is not, is not.

        Args:
            actions_tm1: [..., N] integer, what everyone did in the step before.
            is_first_t: [...] bool, where an episode starts: nobody has acted or spoken in it, which
                is zeros, and not any action or symbol.
            leaders_t: [..., L] integer, what those it follows do in this step, also where an
                episode starts.
            symbols_tm1: [..., N] integer, what everyone said in the step before.

        Raises:
            ValueError: it follows others, or hears them, and is not told what they do or say.
        """
        inputs, ((_, num_actions), (_, symbols)) = [], self.groups
        if len(self.seen):
            known = _before(actions_tm1, self.seen, is_first_t, num_actions)
            if len(self.followed):
                now = told_of(leaders_t, "leaders_t")
                known = known.index_copy(-1, self.followed, now.to(known.dtype))
            inputs.append(one_hot(known, num_actions).flatten(-2))
        if len(self.heard):
            said = told_of(symbols_tm1, "symbols_tm1")
            known = _before(said, self.heard, is_first_t, symbols)
            inputs.append(one_hot(known, symbols).flatten(-2))
        return inputs


def told_of(news: News | None, name: str) -> News:
    """What the others do or say, where it must be told.

    Raises:
        ValueError: it is not.
    """
    if news is None:
        raise ValueError(f"{name}: wanted what the others do or say, found None")
    return news


def _before(of_all: Tensor, numbers: Tensor, is_first_t: Tensor, none: int) -> Tensor:
    """[..., N] of the step before → [..., numbers], `none` where there was no step before."""
    return of_all.index_select(-1, numbers).masked_fill(is_first_t.unsqueeze(-1), none)
