"""Alert people: in the log, in the UI, and through the notification block that they set up."""

import prefect.blocks.notifications  # noqa: F401  (registers its types of blocks)
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import BlockDocument

from tasks.step import DELAYS

BLOCK = "incumbent-alerts"


# Each notification service raises its own errors, so every one is retried.
@task(retries=len(DELAYS), retry_delay_seconds=DELAYS, cache_policy=NO_CACHE)
def send_alert(subject: str, details: str) -> None:
    """Send an alert to the block called incumbent-alerts (Slack, a webhook, ...), if there is one."""
    get_run_logger().warning("%s %s", subject, details)
    create_markdown_artifact(
        key="alert",
        description="The alert that was sent; kept here also where no notification block is set up",
        markdown=f"# {subject}\n\n{details}",
    )
    for document in _documents():
        block = Block.load_from_ref({"block_document_id": document.id})
        if isinstance(block, NotificationBlock):
            # Declared async, but synchronous outside of an event loop.
            block.notify(body=details or subject, subject=subject)  # type: ignore[unused-coroutine]


def _documents() -> list[BlockDocument]:
    with get_client(sync_client=True) as client:
        return [document for document in client.read_block_documents() if document.name == BLOCK]
