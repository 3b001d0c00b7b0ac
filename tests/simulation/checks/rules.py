"""What is raised where a rule of the system is broken."""


class RuleBrokenError(AssertionError):
    """A rule of the system does not hold in this history."""


def require(holds, rule, *facts):
    """Check a rule.

    Args:
        holds: Whether it does.
        rule: In words.
        facts: What was found.

    Raises:
        RuleBrokenError: it does not hold.
    """
    if not holds:
        raise RuleBrokenError(": ".join([rule, *map(str, facts)]))
