"""The kinds of panels that the dashboards are made of; all ask the Prometheus that is chosen at the top."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as schema
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    GraphDrawStyle,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = Builder[schema.Panel]

PROMETHEUS = DataSourceRef("prometheus", "${datasource}")
HEIGHT = 8
THIRD, HALF, FULL = 8, 12, 24  # of the grid's 24 columns
SIXTH = 4


class Query(NamedTuple):
    """expr: PromQL; legend: the name of each series, with {{labels}}."""

    expr: str
    legend: str


def lines(
    title: str, unit: str, queries: Sequence[Query], description: str, span: int = HALF
) -> timeseries.Panel:
    """Values over time."""
    panel = timeseries.Panel().title(title).description(description).unit(unit).span(span).height(HEIGHT)
    panel = panel.datasource(PROMETHEUS).legend(common.VizLegendOptions().placement(LegendPlacement.RIGHT))
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(_query(letter, query).range())
    return panel


def bars(
    title: str, unit: str, queries: Sequence[Query], description: str, span: int = HALF
) -> timeseries.Panel:
    """What came within a day before each moment, stacked."""
    stacked = common.StackingConfig().mode(StackingMode.NORMAL)
    panel = lines(title, unit, queries, description, span).stacking(stacked)
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(60)


def number(title: str, unit: str, query: Query, description: str) -> stat.Panel:
    """The value of now."""
    panel = stat.Panel().title(title).description(description).unit(unit).span(SIXTH).height(HEIGHT // 2)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.datasource(PROMETHEUS).with_target(_query("A", query).instant())


def name(title: str, query: Query, description: str) -> stat.Panel:
    """The legend of now, such as a version's name."""
    return number(title, "short", query, description).text_mode(BigValueTextMode.NAME)


class Column(NamedTuple):
    """A column of a table: its values, or with unit None only the labels that the query keeps."""

    expr: str
    unit: str | None


def rows(title: str, columns: Mapping[str, Column], description: str) -> table.Panel:
    """A row for each model; queries keep the label model, and columns are named after theirs."""
    panel = table.Panel().title(title).description(description).span(FULL).height(HEIGHT).show_header(True)
    panel = panel.datasource(PROMETHEUS).with_transformation(DataTransformerConfig("merge", options={}))
    hidden, renamed = {"Time": True}, {}
    for letter, (header, column) in zip("ABCDEFGHIJKL", columns.items(), strict=False):
        query = _query(letter, Query(column.expr, header)).instant()
        panel = panel.with_target(query.format(PromQueryFormat.TABLE))
        # As Grafana's Prometheus plugin names the values of one query, and those of several.
        values = f"Value #{letter}" if len(columns) > 1 else "Value"
        if column.unit is None:
            hidden[values] = True
        else:
            renamed[values] = header
            panel = panel.override_by_name(header, [DynamicConfigValue("unit", column.unit)])
    organized = {"excludeByName": hidden, "renameByName": renamed}
    return panel.with_transformation(DataTransformerConfig("organize", options=organized))


def _query(letter: str, query: Query) -> prometheus.Dataquery:
    asked = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(letter)
    return asked.expr(query.expr).legend_format(query.legend)


class Dashboard(dashboard.Dashboard):
    """One of ours: links to the others, asks the chosen Prometheus."""

    def __init__(self, title: str, uid: str, description: str, days: int) -> None:
        """days: how far it looks back at first."""
        super().__init__(title)
        others = dashboard.DashboardLink("Incumbent").type(DashboardLinkType.DASHBOARDS).tags(["incumbent"])
        self.uid(uid).description(description).tags(["incumbent"]).readonly().timezone("browser")
        self.time(f"now-{days}d", "now").refresh("1m").link(others.as_dropdown(True).keep_time(True))
        self.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))

    def of_models(self, several: bool) -> Self:
        """Let the reader choose a model, or `several` at once."""
        models = dashboard.QueryVariable("model").label("Model").datasource(PROMETHEUS)
        models = models.query("label_values(incumbent_up, model)").refresh(
            VariableRefresh.ON_TIME_RANGE_CHANGED
        )
        if several:
            models = models.multi(True).include_all(True).all_value(".*")
        return self.with_variable(models)
