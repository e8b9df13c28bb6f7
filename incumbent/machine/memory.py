"""Memory that libraries have freed goes back to the system."""

import ctypes

import pyarrow as pa


def release_memory() -> None:
    """After a step that has read or binned many rows: Arrow and glibc keep freed memory for what may come."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries have none
        trim(0)
