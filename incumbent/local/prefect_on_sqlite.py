"""Prefect's command, for its server on SQLite: whoever will write waits for the lock instead of failing.

Prefect opens most transactions that write as DEFERRED. One that has read by the time another commits can
never write: SQLite refuses at once with "database is locked", whatever the timeout. On our one server that
cost most events a retry of two seconds before their run was made, and now and then an automation its event.
Prefect cures places as they are reported (pull request 22967); IMMEDIATE cures all of them.
https://www.sqlite.org/lang_transaction.html, "Read transactions versus write transactions".
"""

import sqlalchemy as sa
from prefect.cli import app
from prefect.server.database import configurations


def begin(self: configurations.AioSqliteConfiguration, conn: sa.Connection) -> None:
    """Take the write lock with the transaction; reads outside of transactions go on as they do."""
    if configurations.SQLITE_BEGIN_MODE.get() is not None:
        conn.exec_driver_sql("BEGIN IMMEDIATE")


if __name__ == "__main__":
    configurations.AioSqliteConfiguration.begin_sqlite_stmt = begin  # type: ignore[method-assign]
    app()
