"""Tell people: in the log, in the UI, and by the notification block that they made for it."""

import prefect.blocks.notifications  # noqa: F401  (makes its kinds of blocks known)
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import BlockDocument

from tasks.step import DELAYS

BLOCK = "incumbent-alerts"


# Each notification service fails in its own way; all of them are worth another try.
@task(retries=len(DELAYS), retry_delay_seconds=DELAYS, cache_policy=NO_CACHE)
def tell(subject: str, details: str) -> None:
    """Pass an alert on to the block called incumbent-alerts (Slack, a webhook, ...), if there is one."""
    get_run_logger().warning("%s %s", subject, details)
    create_markdown_artifact(
        key="alert",
        description="What people were told of, also where no notification block is set up",
        markdown=f"# {subject}\n\n{details}",
    )
    for document in _documents():
        block = Block.load_from_ref({"block_document_id": document.id})
        if isinstance(block, NotificationBlock):
            # Declared async; outside of an event loop it is not.
            block.notify(body=details or subject, subject=subject)  # type: ignore[unused-coroutine]


def _documents() -> list[BlockDocument]:
    with get_client(sync_client=True) as client:
        return [found for found in client.read_block_documents() if found.name == BLOCK]
