"""Reports of a run, and of the gate on files, as one static HTML file with its pictures embedded."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2


def render(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """facts: the decision record, with the documents of gate, plan and challenger; pictures: title -> PNG."""
    encoded = {title: _encoded(png) for title, png in pictures.items()}
    return _template("report.html").render(**facts, pictures=encoded)


def render_gate(report: Mapping[str, Any], explained: Sequence[tuple[str, str, bytes]]) -> str:
    """The gate's report on files; explained: severity and text of each finding with its history's PNG."""
    findings = [(severity, text, _encoded(png)) for severity, text, png in explained]
    return _template("gate.html").render(**report, explained=findings)


def _encoded(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("incumbent.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=jinja2.FileSystemBytecodeCache(),  # compiling the template takes longer than rendering
    )
    return environment.get_template(name)
