"""Crash flow runs whose process is gone: Prefect would keep them active, and their slots taken, for ever."""

from incumbent.local.loopback import ask_prefect
from incumbent.local.prefect_server import client_settings
from incumbent.local.state import Stack

ACTIVE = ["PENDING", "RUNNING", "CANCELLING"]


def crash_lost_runs(stack: Stack, pools: list[str]) -> None:
    """Mark the active runs of these pools as crashed; call it only when none of their processes is alive.

    The automation for silent runs misses a run that died before its first heartbeat. A failure here is
    harmless: the next start or stop tries again.
    """
    state = {"type": "CRASHED", "name": "Crashed", "message": "its process ended with the local stack"}
    active = {"flow_runs": {"state": {"type": {"any_": ACTIVE}}}, "work_pools": {"name": {"any_": pools}}}
    prefect = client_settings(stack)
    for run in ask_prefect(prefect, "flow_runs/filter", active) or []:
        ask_prefect(prefect, f"flow_runs/{run['id']}/set_state", {"state": state})
