"""The run's story as one static HTML file, pictures inside."""

import base64
from collections.abc import Mapping
from typing import Any

import jinja2


def render(facts: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """`facts` is the decision record with the gate's, plan's and challenger's documents beside it."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("incumbent.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=jinja2.FileSystemBytecodeCache(),  # to compile takes longer than to fill in
    )
    encoded = {title: base64.b64encode(png).decode("ascii") for title, png in pictures.items()}
    return environment.get_template("report.html").render(**facts, pictures=encoded)
