"""Load, call the core, save. Retries, timeouts and Prefect artifacts live here."""
