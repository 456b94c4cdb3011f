"""Memory of this process, as Linux counts it."""

from __future__ import annotations

from pathlib import Path


def resident() -> int:
    """Bytes that this process holds now."""
    return _kibibytes("VmRSS") * 1024


def peak() -> int:
    """Most bytes that this process ever held; what its parent held, `getrusage` would count too."""
    return _kibibytes("VmHWM") * 1024


def _kibibytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0])
