"""The process that holds a claim, so that others on its host need not wait for a dead one's lease to end."""

import os
import socket
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Owner:
    """A process: its host's name, its pid there, and when it started, in seconds since 1970."""

    host: str
    pid: int
    started: float

    @staticmethod
    def here() -> "Owner":
        """This process."""
        return Owner(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    def is_known_dead(self) -> bool:
        """Tell by the pid, on its own host; False on other hosts, and for a process that may be alive."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            # The clock behind create_time is corrected a little now and then; pids are not reused that fast.
            same = abs(process.create_time() - self.started) < 2
            return not same or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False
