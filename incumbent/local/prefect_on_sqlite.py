"""Prefect's command, for its server on SQLite: whoever will write waits for the lock instead of failing.

Prefect opens most transactions that write as DEFERRED. One that has read by the time another commits can
never write: SQLite refuses at once with "database is locked", whatever the timeout. On our one server that
cost most events a retry of two seconds before their run was made, and now and then an automation its event.
Prefect cures places as they are reported (pull request 22967); IMMEDIATE cures all of them.
https://www.sqlite.org/lang_transaction.html, "Read transactions versus write transactions".
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.cli import app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


@asynccontextmanager
async def begin_transaction(
    self: AioSqliteConfiguration,
    session: AsyncSession,
    with_for_update: bool = False,
) -> AsyncGenerator[AsyncSessionTransaction, None]:
    """Take the write lock with the transaction.

    Reads outside of transactions go on as they do. So do those of a session that Prefect opens within the
    transaction, to tell of a paused queue for instance: they would wait for the lock of their own caller.
    """
    token = SQLITE_BEGIN_MODE.set("IMMEDIATE")
    try:
        async with session.begin() as transaction:
            await session.connection()  # begins now, not with the first statement
            SQLITE_BEGIN_MODE.set(None)
            yield transaction
    finally:
        SQLITE_BEGIN_MODE.reset(token)


if __name__ == "__main__":
    AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign]
    app()
