"""Whose an experiment or a model is in MLflow: two projects of one name would overwrite each other's."""

from typing import Any

from incumbent.tracking.mlflow_api import MLflowApi, tags_of
from incumbent.tracking.sink import Refused

OWNER = "incumbent.owner"


def claim(api: MLflowApi, what: str, thing: dict[str, Any], owner: str, set_tag: str, **named: str) -> None:
    """Note in the thing's tag that it is the owner's, if it is nobody's. Raises Refused if it is another's.

    set_tag, named: the request that sets a tag of it, and how that names it.
    """
    noted = tags_of(thing).get(OWNER, "")
    if noted and noted != owner:
        raise Refused(
            f"the {what} at {api.address} belongs to the project at {noted}, and this is "
            f"{owner or 'a project that its registry does not name'}; choose another dataset.name in "
            f"params.yaml. If it is one project whose registry is new, delete the tag {OWNER} of the {what}"
        )
    if owner and not noted:
        api.post(set_tag, key=OWNER, value=owner, **named)
