"""Writes docs/schema/ from the models; tests hold the two together."""

import json
from pathlib import Path

from pydantic import BaseModel

from wsload.analysis.drift import Drift
from wsload.analysis.model import Comparison
from wsload.report.export.ndjson import IntervalRecord
from wsload.results import Summary
from wsload.scenario.source.file import scenario_schema

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "schema"
SHIPPED = ROOT / "python" / "wsload" / "scenario" / "scenario.schema.json"
MODELS: dict[str, type[BaseModel]] = {
    "summary": Summary,
    "comparison": Comparison,
    "drift": Drift,
    "interval": IntervalRecord,
}


def main() -> None:
    """Writes them."""
    FOLDER.mkdir(exist_ok=True)
    for name, model in MODELS.items():
        schema = model.model_json_schema(by_alias=True, mode="serialization")
        (FOLDER / f"{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    # Editors read it from the site; who has no network, from the package.
    for path in (FOLDER / SHIPPED.name, SHIPPED):
        path.write_text(json.dumps(scenario_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
