"""Writes docs/schema/summary.schema.json from the model; a test holds the two together."""

import json
from pathlib import Path

from wsload.results import Summary

PATH = Path(__file__).parent.parent / "docs" / "schema" / "summary.schema.json"


def main() -> None:
    """Writes it."""
    PATH.parent.mkdir(exist_ok=True)
    schema = Summary.model_json_schema(by_alias=True, mode="serialization")
    PATH.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
