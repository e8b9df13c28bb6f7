"""Write each dashboard as the JSON that Grafana reads."""

from pathlib import Path

from dashboards.documents import DASHBOARDS, document

FOLDER = Path(__file__).parents[1] / "incumbent" / "monitoring" / "grafana"

if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(document(name), encoding="utf-8")
