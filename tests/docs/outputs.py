"""What a page says is printed, held against what is printed: the same words, whatever the figures."""

import re
from itertools import pairwise

BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIGURE = re.compile(r"(?<![\w.])[≥≤~±+-]*\d[\d.,:]*(?:\s?(?:ns|µs|ms|min|s|h|[kMG]?B(?:/s)?|k?/s|%))?(?![\w])")
_MADE_UP = (
    (re.compile(r"seed [0-9a-f]+"), "seed X"),
    (re.compile(r'"text":"[A-Za-z0-9]+"'), '"text":"X"'),
    (re.compile(r"[\d,]+ before slow replies, "), ""),
    (re.compile(r"(?:localhost|127\.0\.0\.1):\d+"), "HOST"),
)
_DOUBT = ("suspect", "→ Use")


def examples(text: str) -> list[tuple[list[str], str]]:
    """The blocks of a page: the commands of each, and what is said to be printed by the last one, if anything is."""
    blocks = BLOCK.findall(text.replace("\\\n", " "))
    found: list[tuple[list[str], str]] = []
    for block in blocks:
        commands = [line for line in block.splitlines() if line.startswith("wsload ") and " · " not in line]
        if commands:
            found.append((commands, ""))
        elif found and not found[-1][1]:
            found[-1] = (found[-1][0], block)
    return found


def skeleton(line: str) -> str:
    """A line without its figures, and without what is another each time."""
    for pattern, word in _MADE_UP:
        line = pattern.sub(word, line)
    line = _FIGURE.sub("N", line)
    return " ".join(re.sub(r"\d+ workers?", "N workers", line).split())


def missing(said: str, printed: str) -> list[str]:
    """Lines of a page that nothing printed is like; doubts of the machine's own may come and go."""
    shown = printed.splitlines()
    there = {skeleton(line) for line in shown}
    # A longer port, and the end of a line stands in the next one.
    there |= {skeleton(f"{line} · {after.strip()}") for line, after in pairwise(shown)}
    lines, doubting = [], False
    for line in said.splitlines():
        # A doubt goes on over the lines that are indented as its words are.
        doubting = line.strip().startswith(_DOUBT) or (doubting and line.startswith(" " * 14))
        if not doubting and line.strip() and skeleton(line) not in there:
            lines.append(line)
    return lines
