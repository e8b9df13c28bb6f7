"""Can studies be kept in this database? Asked without leaving anything there."""

import uuid

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import ArgumentError, ProgrammingError
from sqlalchemy.pool import NullPool

from incumbent.errors import StorageUnavailable
from incumbent.search.studies import explained, unusable, with_driver


def try_postgres(address: str, timeout: float) -> str:
    """Connect, and make a table where Optuna's are not there yet. Returns what was found, for people.

    timeout: seconds to connect. Raises StorageUnavailable when it does not answer or refuses us, BadParams
    for an address that can't be used.
    """
    try:
        seconds = {"connect_timeout": int(timeout)}
        engine = create_engine(with_driver(address), poolclass=NullPool, connect_args=seconds)
    except (ImportError, ArgumentError) as error:
        raise unusable(error) from error
    with explained(), engine.connect() as connection:
        if inspect(connection).has_table("studies"):
            return f"{address} answers and has Optuna's tables"
        try:
            # Never committed, so nobody else sees it.
            connection.execute(text(f"CREATE TABLE doctor_{uuid.uuid4().hex} (id integer)"))
        except ProgrammingError as error:
            raise StorageUnavailable(
                f"{address} answers, and {engine.url.username} may make no tables there; as its owner run: "
                f"GRANT CREATE ON SCHEMA public TO {engine.url.username}"
            ) from error
        connection.rollback()
    return f"{address} answers, and tables can be made"
