"""How a flow run shows in the Prefect UI: its name and its tags."""

from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client


def name_flow_run(name: str, tags: list[str]) -> None:
    """Rename the flow run and add tags to those it has."""
    with get_client(sync_client=True) as client:
        kept = [tag for tag in runtime.flow_run.tags or [] if tag not in tags]
        client.update_flow_run(UUID(runtime.flow_run.get_id()), name=name, tags=[*kept, *tags])


def tag_decision(kind: str) -> None:
    """Tag the flow run with the decision."""
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(UUID(runtime.flow_run.get_id()))
        client.update_flow_run(flow_run.id, tags=[*flow_run.tags, f"decision:{kind}"])
