"""The closing summary of a run: `summary.json`, and a few lines for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ssd_run.account import Account
from ssd_run.progress.episodes import LAST_EPISODES, Outcome

_BELOW: dict[str, Any] = {
    "subsequent_indent": 15 * " ",
    "break_long_words": False,
    "break_on_hyphens": False,
}


@dataclass(frozen=True)
class Summary:
    """The results of a run, over all of its launches except where "this launch" is said.

    Attributes:
        preset: Name of the run's preset.
        run_dir: Of the run.
        ended: "complete", "stopped", or the reason of the failure.
        wall_seconds: Of this launch.
        agent_steps_per_second: Over the steady part of this launch; None if it had none.
        agent_steps: Trained by all learners together.
        own_steps: Trained by each learner.
        updates: Of each learner.
        episodes: That have ended, short ones included.
        outcome: Averages over the last full-length episodes.
        restarts: Role → number of restarts after a death.
        killed: Roles that did not stop in time and were killed at the end of this launch.
        account: Of segments.
    """

    preset: str
    run_dir: str
    ended: str
    wall_seconds: float
    agent_steps_per_second: float | None
    agent_steps: int
    own_steps: tuple[int, ...]
    updates: tuple[int, ...]
    episodes: int
    outcome: Outcome
    restarts: Mapping[str, int]
    killed: tuple[str, ...]
    account: Account

    def content(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        account = asdict(self.account)
        faults = account.pop("faults")
        outcome = asdict(self.outcome)
        returns = outcome.pop("returns")
        outcome["last_episodes"] = outcome.pop("episodes")
        return {
            **{k: v for k, v in asdict(self).items() if k not in ("outcome", "account")},
            **outcome,
            "returns": returns,
            "segments": account,
            "account_adds_up": self.account.adds_up,
            "account_faults": faults,
        }

    def lines(self, width: int | None = None) -> Iterator[str]:
        """The same for people.

        Args:
            width: Most characters of a line; longer lines are wrapped between words.
        """
        for line in self._lines():
            yield from [line] if width is None else textwrap.wrap(line, width, **_BELOW)

    def _lines(self) -> Iterator[str]:
        yield f"{self.preset}: {self.ended}, after {clock(self.wall_seconds)}"
        yield f"  agent-steps  {self.agent_steps:,}{_at_speed(self.agent_steps_per_second)}"
        yield f"  updates      {', '.join(f'{n:,}' for n in self.updates)}"
        yield f"  episodes     {self.episodes:,} ended; {_averages(self.outcome)}"
        yield f"  restarts     {_counts(self.restarts) or 'none'}"
        if self.killed:
            yield f"  killed       {', '.join(self.killed)}: still running"
        yield from account_lines(self.account)
        yield f"  run          {self.run_dir}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _at_speed(speed: float | None) -> str:
    if speed is None:
        return " (too short to measure a steady speed)"
    return f", {speed:,.0f} per second in the steady part"


def _averages(outcome: Outcome) -> str:
    if outcome.collective_return is None:
        return "none of full length yet"
    equality = (
        "equality undefined in all of them"
        if outcome.equality is None
        else f"equality {outcome.equality:.3f} (defined in {outcome.equality_defined})"
    )
    which = f"last {LAST_EPISODES}" if outcome.episodes == LAST_EPISODES else f"{outcome.episodes}"
    return f"{which} of full length: collective return {outcome.collective_return:.2f}, {equality}"


def _counts(restarts: Mapping[str, int]) -> str:
    return ", ".join(f"{role} {count}" for role, count in sorted(restarts.items()) if count)


def account_lines(account: Account) -> Iterator[str]:
    """The account for people."""
    parts = (
        f"{account.trained:,} trained + {account.surplus:,} surplus + {account.lost:,} lost"
        f"{f' + {account.missing:,} missing' if account.missing else ''}"
    )
    verdict = "the account adds up" if account.adds_up else "THE ACCOUNT DOES NOT ADD UP"
    yield f"  segments     {account.made:,} made = {parts}: {verdict}"
    yield (
        f"               {account.resent:,} sent again, {account.duplicate:,} received twice, "
        f"{account.discarded:,} incomplete and discarded"
    )
    for fault in account.faults:
        yield f"               {fault}"
