"""Values from outside the scenario file: environment files and rows of data. Every mistake names its file and line."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsload.errors import UsageError
from wsload.scenario.source.tree import read_tree

MAX_DATA_BYTES = 1 << 30
MAX_ENV_BYTES = 1 << 20
MAX_ROWS = 5_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of values under their names; `sha256` of the file they came from."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    path: str = ""
    sha256: str = ""


def read_bytes(path: Path, where: str, limit: int) -> bytes:
    """A file's bytes.

    Raises:
        UsageError: it cannot be read, or is larger than `limit`; the text begins with `where`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{where}{path}: {error.strerror or error}", "Name a file that can be read.") from None
    if len(content) > limit:
        raise UsageError(f"{where}{path}: larger than {limit >> 20} MiB", "Name a smaller file.")
    return content


def read_text(path: Path, where: str, limit: int) -> str:
    """A file's text.

    Raises:
        UsageError: as for `read_bytes`, or it is not UTF-8.
    """
    content = read_bytes(path, where, limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"{where}{path}:{line}: not UTF-8 (byte {error.start})"
        raise UsageError(what, "Convert it: iconv -t UTF-8.") from None


def read_env_file(path: Path) -> dict[str, Any]:
    """Variables of a dotenv file, or of a YAML file (`.yaml`, `.yml`).

    Raises:
        UsageError: it cannot be read, or a line is no variable.
    """
    text = read_text(path, "--env-file: ", MAX_ENV_BYTES)
    if path.suffix in {".yaml", ".yml"}:
        value = read_tree(text, str(path)).value
        if not isinstance(value, dict):
            raise UsageError(f"--env-file: {path}:1:1: it holds no keys with values", "Write 'name: value' lines.")
        return value
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"--env-file: {path}:{number}: no NAME=VALUE", "Write one variable a line.")
        value = value.strip()
        if value[:1] in {"'", '"'}:
            if len(value) < 2 or value[-1] != value[0]:
                raise UsageError(f"--env-file: {path}:{number}: {name}: a quote has no end", "Close the quote.")
            value = value[1:-1]
        found[name] = value
    return found


def read_rows(path: Path, where: str) -> Rows:
    """Rows of a CSV or JSON file.

    Raises:
        UsageError: missing, empty, ragged, not UTF-8, or neither of these; names the line.
    """
    text = read_text(path, where, MAX_DATA_BYTES)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if not text.strip():
        raise UsageError(f"{where}{path}: it is empty", "Write a line of names, then a line for each row.")
    json_lines = path.suffix in {".jsonl", ".ndjson"}
    rows = _json(text, path, where, lines=json_lines) if json_lines or path.suffix == ".json" else None
    columns, values = _csv(text, path, where) if rows is None else _objects(rows, path, where)
    if not values:
        raise UsageError(f"{where}{path}: it has no rows", "Write at least one below the names.")
    if len(values) > MAX_ROWS:
        raise UsageError(f"{where}{path}: more than {MAX_ROWS:,} rows", "Split it.")
    return Rows(columns, values, str(path), digest)


def _csv(text: str, path: Path, where: str) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[tuple[str, ...]] = []
    columns: tuple[str, ...] = ()
    try:
        for row in reader:
            if not columns:
                columns = tuple(name.strip() for name in row)
                if len(set(columns)) != len(columns) or "" in columns:
                    what = f"{where}{path}:1: a column has no name, or the name of another"
                    raise UsageError(what, "The first line holds the names of the columns, each once.")
            elif len(row) == len(columns):
                rows.append(tuple(row))
            elif row:
                what = f"{where}{path}:{reader.line_num}: {len(row)} values in {len(columns)} columns"
                raise UsageError(what, "Every row has a value for each name; put text with commas in quotes.")
    except csv.Error as error:
        raise UsageError(f"{where}{path}:{reader.line_num}: {error}", "Close the quotes of that row.") from None
    return columns, tuple(rows)


def _json(text: str, path: Path, where: str, *, lines: bool) -> list[Any]:
    number = 0
    try:
        if not lines:
            found = json.loads(text)
            if not isinstance(found, list):
                raise UsageError(f"{where}{path}:1: no list of objects", 'Write [{"name": "value"}, …].')
            return found
        rows = []
        for line in text.splitlines():
            rows += [json.loads(line)] if line.strip() else []
            number += 1
    except json.JSONDecodeError as error:
        what = f"{where}{path}:{number + error.lineno}:{error.colno}: not JSON: {error.msg}"
        raise UsageError(what, "Mend it there, or write CSV.") from None
    except RecursionError:
        raise UsageError(f"{where}{path}: nested too deeply", "Flatten it.") from None
    return rows


def _objects(rows: list[Any], path: Path, where: str) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    columns: tuple[str, ...] = tuple(rows[0]) if rows and isinstance(rows[0], dict) else ()
    values = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UsageError(f"{where}{path}: row {number} is no object", 'Write {"name": "value"} for each row.')
        if set(row) != set(columns):
            odd = min(set(row) ^ set(columns))
            what = f"{where}{path}: row {number}: {odd!r} is not in every row"
            raise UsageError(what, "All rows have the same names.")
        values.append(tuple(row[name] for name in columns))
    return columns, tuple(values)
