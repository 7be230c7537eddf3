"""What is wrong with a scenario file: file, line, column, key and remedy of each mistake, all told at once."""

from collections.abc import Iterable
from difflib import get_close_matches

from wsload.errors import UsageError, UsageErrors
from wsload.scenario.source.tree import Place, Tree

MAX_SHOWN = 20
MAX_LISTED = 15


class Problems:
    """Collects mistakes; `check` raises what was found."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._found: dict[tuple[int, int, str], UsageError] = {}

    def add(self, place: Place, what: str, remedy: str = "", *, at_key: bool = False) -> None:
        """A mistake at a place; `at_key`: in the key rather than in what it holds."""
        line, column = self._tree.position(place, at_key=at_key)
        text = f"{self._tree.name}:{line}:{column}: {dotted(place)}{': ' if place else ''}{what}"
        self._found.setdefault((line, column, text), UsageError(text, remedy))

    @property
    def count(self) -> int:
        """How many were found so far."""
        return len(self._found)

    def knows(self, place: Place) -> bool:
        """Whether the file has something at a place."""
        return place in self._tree.values

    def check(self) -> None:
        """Raises what was found.

        Raises:
            UsageError: all of it, in the file's order.
        """
        if not self._found:
            return
        errors = [error for _, error in sorted(self._found.items(), key=lambda item: item[0])]
        if len(errors) == 1:
            raise errors[0]
        raise UsageErrors(errors[:MAX_SHOWN], len(errors) - len(errors[:MAX_SHOWN]))


def dotted(place: Place) -> str:
    """`load.stages[0].target`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def nearest(word: str, known: Iterable[str], kinds: str = "It takes") -> str:
    """The word that was meant, and all there are: `Did you mean x? It takes a, b, x.`."""
    words = list(dict.fromkeys(known))
    close = get_close_matches(word, words, 1, 0.5) or [one for one in words if one.lower() == word.lower()]
    if close and len(words) > MAX_LISTED:
        words = []
    listed = f"{kinds} {', '.join(words)}." if words else ""
    return " ".join([*(f"Did you mean {one}?" for one in close[:1]), *([listed] if listed else [])])
