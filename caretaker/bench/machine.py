"""The machine that is measured: its two cores, the programs that must be there, and its description for the report."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from domain.errors import CaretakerError

PACKAGES = {"mosquitto": "mosquitto", "mosquitto_sub": "mosquitto-clients", "influxd": "influxdb"}


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the load (publishers, brokers, databases) and that of the consumer under test or its peer."""

    load: int
    consumer: int


def two_cores() -> Cores:
    """The first two cores that this process may use. CaretakerError when it has only one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise CaretakerError(
            "the benchmark needs Linux and two processor cores: one for the load, one for what is measured",
            "run it on a machine with two cores",
        )
    return Cores(cores[0], cores[1])


def program(name: str) -> str:
    """The program's path. CaretakerError that names Debian's package when it is absent."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        raise CaretakerError(
            f"the benchmark needs {name}, which is not installed",
            f"apt-get install {PACKAGES[name]}, or measure other parts: caretaker bench --only …",
        )
    return path


def describe(folder: Path) -> dict[str, str]:
    """What a reader of the figures must know of the machine; `folder` is where the data of the run lies."""
    return {
        "processor": _first_line("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": _first_line("/proc/meminfo", "MemTotal"),
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(folder),
        "python": platform.python_version(),
        "mosquitto": _version("mosquitto", "-h"),
        "influxdb": _version("influxd", "version"),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def _first_line(file: str, key: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")


def _file_system(folder: Path) -> str:
    """The type of the file system, by the longest mount point above the folder."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    above = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(above, default=(0, "unknown"))[1]


def _version(name: str, word: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        return "not installed"
    command = [path, word]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - no shell
    return (said.stdout or said.stderr).splitlines()[0].strip()
