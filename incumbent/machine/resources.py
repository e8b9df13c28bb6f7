"""How much CPU, GPU and memory this process has used, and how much memory it may use."""

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SAMPLE = 1.0  # seconds between two looks at how busy the GPU is
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Resources:
    """Of a process and its children, or of several. Memory is that of the largest process.

    `gpu_seconds`: how long a GPU was held, for each GPU; `gpu_busy_seconds`: of these, how long it computed,
    None where NVML can't tell.
    """

    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    gpu_seconds: float = 0.0
    gpu_busy_seconds: float | None = None
    gpu_peak_memory_bytes: int = 0

    def plus(self, other: "Resources") -> "Resources":
        known = [each for each in (self.gpu_busy_seconds, other.gpu_busy_seconds) if each is not None]
        return Resources(
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_memory_bytes, other.peak_memory_bytes),
            self.gpu_seconds + other.gpu_seconds,
            sum(known) if known else None,
            max(self.gpu_peak_memory_bytes, other.gpu_peak_memory_bytes),
        )

    def since(self, before: "Resources") -> "Resources":
        """What was used after `before`, an earlier state of the same process; its peaks are the process's."""
        busy = self.gpu_busy_seconds
        return Resources(
            self.cpu_seconds - before.cpu_seconds,
            self.peak_memory_bytes,
            self.gpu_seconds - before.gpu_seconds,
            busy if busy is None else busy - (before.gpu_busy_seconds or 0.0),
            self.gpu_peak_memory_bytes,
        )


@dataclass(frozen=True)
class MemoryLimit:
    """`used`: bytes at the peak; `limit`: bytes at which the system refuses more or ends the process."""

    name: str
    used: int
    limit: int


class _Gpu:
    """The GPU of this process: since when it is held, and how long it was busy (see Resources)."""

    def __init__(self) -> None:
        self._lock, self._held_since = threading.Lock(), 0.0
        self.busy: float | None = None

    def hold(self) -> None:
        with self._lock:
            if not self._held_since:
                self._held_since = time.monotonic()
                threading.Thread(target=self._watch, daemon=True).start()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._held_since if self._held_since else 0.0

    def _watch(self) -> None:
        last = time.monotonic()
        while torch := sys.modules.get("torch"):  # OpenCL's LightGBM does without it
            time.sleep(SAMPLE)
            try:
                share = torch.cuda.utilization() / 100
            except Exception:  # noqa: BLE001 - no NVML, or not for this device: the figure is then unknown
                return
            now = time.monotonic()
            self.busy, last = (self.busy or 0.0) + share * (now - last), now


_gpu = _Gpu()
_elsewhere: list[Resources] = []


def hold_gpu() -> None:
    """Say that this process computes on a GPU; it holds the GPU from here on, until it ends."""
    _gpu.hold()


def add_elsewhere(used: Resources) -> None:
    """Count what a process that is no child of this one used for it, such as a worker on Ray."""
    _elsewhere.append(used)


def resources() -> Resources:
    """What this process, the children that it waited for and workers elsewhere have used so far."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    total = Resources(
        sum(each.ru_utime + each.ru_stime for each in used),
        max(each.ru_maxrss for each in used) * unit,
        _gpu.seconds,
        _gpu.busy,
        _gpu_peak(),
    )
    for each in list(_elsewhere):
        total = total.plus(each)
    return total


def memory_limits() -> list[MemoryLimit]:
    """The limits that hold for this process: of its container, of `ulimit -v`, and the machine's memory."""
    resident = resources().peak_memory_bytes
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [MemoryLimit("the machine's memory", resident, machine)]
    if contained := [limit for limit in _cgroup_limits() if limit < machine]:
        limits.append(MemoryLimit("the container's memory limit", resident, min(contained)))
    if soft != resource.RLIM_INFINITY:
        limits.append(MemoryLimit("the limit of the address space (ulimit -v)", _address_space(), soft))
    return limits


def _gpu_peak() -> int:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.max_memory_reserved())


def _cgroup_limits() -> Iterator[int]:
    """Of this process's control group and those above it, by version 2, or 1 where the system has that."""
    own = PurePosixPath("/")
    membership = Path("/proc/self/cgroup")
    for line in membership.read_text().splitlines() if membership.exists() else []:
        if line.startswith("0::"):
            own = PurePosixPath(line.removeprefix("0::"))
    groups = [CGROUPS / str(each).lstrip("/") / "memory.max" for each in (own, *own.parents)]
    for file in (*groups, CGROUPS / "memory" / "memory.limit_in_bytes"):
        text = file.read_text().strip() if file.is_file() else "max"
        if text != "max":
            yield int(text)


def _address_space() -> int:
    """Bytes of it at the peak; 0 where the system does not say."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else []:
        if line.startswith("VmPeak:"):
            return int(line.split()[1]) * 1024
    return 0
