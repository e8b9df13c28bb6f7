"""The dashboards by name, and the JSON of each."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import fleet, model, resources

DASHBOARDS = {"model": model.dashboard, "fleet": fleet.dashboard, "resources": resources.dashboard}


def document(name: str) -> str:
    """Its JSON, the same bytes each time. Panels are numbered in their order, as Grafana wants it."""
    built = DASHBOARDS[name]().build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    return JSONEncoder(sort_keys=True, indent=2).encode(built) + "\n"
