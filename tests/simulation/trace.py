"""A history as text: one line per event, with the simulated time."""

from ssd_wire.codec import decode
from ssd_wire.messages import MESSAGES, Act, Message, Refused, Segment, Timestep

KINDS = tuple(MESSAGES.values())


def lines(history):
    """The events of a history, one by one."""
    yield f"seed {history.seed}: {history.cluster.settings}"
    for time, name, what, details in history.cluster.record.log:
        yield f"{time:9.3f}  {name:14} {what} " + ", ".join(map(_text, details))
    if history.fault is not None:
        yield f"{type(history.fault).__name__}: {history.fault}"


def _text(detail):
    match detail:
        case list():
            return _text(decode(detail, KINDS, {}))
        case Timestep() | Act():
            return _fields(detail, "lane", "tick")
        case Segment():
            return _fields(detail, "seq", "lane", "weights_version")
        case Refused():
            return f"Refused({detail.reason!r}, fatal={detail.fatal})"
        case Message():
            return _fields(detail, *(name for name in vars(detail) if name not in _LONG))
        case bytes():
            return detail.decode()
        case float():
            return f"{detail:.3f} s"
        case _:
            return str(detail)


_LONG = ("fingerprint", "palette", "agents", "actions", "symbols", "games", "horizon", "view")
_NUMBERS = ("epoch", "incarnation", "env_incarnation", "actor_incarnation", "learner_incarnation")


def _fields(message, *names):
    values = {name: getattr(message, name) for name in names}
    shown = (f"{name}={_value(name, value)}" for name, value in values.items())
    return f"{type(message).__name__}({', '.join(shown)})"


def _value(name, value):
    if name in _NUMBERS:
        return f"{value % 2**16:04x}"  # enough to tell them apart
    return f"{value.nbytes} bytes" if hasattr(value, "nbytes") else value
