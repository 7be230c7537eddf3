"""`wsload doctor`: what this machine can hold."""


def doctor() -> None:
    """Show what this machine can hold, and what raises its limits."""
    from wsload.engine import limits
    from wsload.report.doctor import print_machine

    print_machine(limits.machine())
