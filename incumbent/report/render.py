"""The report of a run as one static HTML file with its pictures embedded."""

import base64
from collections.abc import Mapping
from typing import Any

import jinja2


def render(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """facts: the decision record, with the documents of gate, plan and challenger; pictures: title -> PNG."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("incumbent.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=jinja2.FileSystemBytecodeCache(),  # compiling the template takes longer than rendering
    )
    encoded = {title: base64.b64encode(png).decode("ascii") for title, png in pictures.items()}
    return environment.get_template("report.html").render(**facts, pictures=encoded)
