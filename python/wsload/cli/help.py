"""Help in groups, without Rich: loading it would treble the time of `wsload run --help`."""

from typing import Any

from typer.core import TyperCommand


class GroupedCommand(TyperCommand):
    """A command whose help lists its options by their `rich_help_panel`, in order of appearance.

    `Any` stands for types that Typer keeps private.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the sections of the help."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            row = param.get_help_record(ctx)
            if row is not None:
                group = getattr(param, "rich_help_panel", None) or "Options"
                if param.param_type_name == "argument":
                    # Typer adds the Python type to the name.
                    group, row = "Arguments", (str(param.metavar), row[1])
                groups.setdefault(group, []).append(row)
        # Help is about the command, not its load: last.
        rest = groups.pop("Options", [])
        for title, rows in [*groups.items(), *([("Options", rest)] if rest else [])]:
            with formatter.section(title):
                formatter.write_dl(rows)
