"""`wsload doctor`: what this machine can hold."""


def doctor() -> None:
    """Show what this machine can hold, and the command that raises each limit."""
    from wsload.engine import limits
    from wsload.report.doctor import Finding, capacity_lines, print_findings

    here = limits.machine()
    per_worker = here.connections_per_worker
    findings = [
        Finding(
            "file descriptors",
            f"{here.fd_soft:,} soft, {here.fd_hard:,} hard",
            f"soft is raised to hard by wsload; raise hard: {limits.raise_fds_command(1_048_576)}",
            here.fd_hard >= 65_536,
        ),
        Finding(
            "ephemeral ports",
            f"{here.ports:,} ({here.port_first} to {here.port_last})",
            limits.widen_ports_command(),
            here.ports >= 60_000,
        ),
        Finding("CPU cores", f"{here.cpus}", "one worker per core by default"),
        Finding(
            "clock source",
            here.clock_source or "unknown",
            "" if here.clock_source in {"tsc", "kvm-clock"} else "reading it may cost a system call: prefer tsc",
            here.clock_source in {"tsc", "kvm-clock", "arch_sys_counter"},
        ),
        Finding(
            "kernel receive time stamps",
            "work" if here.kernel_timestamps else "do not work",
            "" if here.kernel_timestamps else "arrivals are stamped when they are read: a late generator will show",
            here.kernel_timestamps,
        ),
        Finding(
            "congestion control",
            here.congestion_control or "unknown",
            "bbr paces what it sends" if here.congestion_control == "bbr" else "",
        ),
        Finding(
            "listen backlog",
            f"{here.somaxconn:,}" if here.somaxconn else "unknown",
            "for servers on this machine: sysctl -w net.core.somaxconn=65535",
            (here.somaxconn or 0) >= 4096,
        ),
    ]
    print_findings(findings, capacity_lines(per_worker, here.cpus, here.ports))
