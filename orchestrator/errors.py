"""Every error the product raises on purpose, as one tree.

    OrchestratorError            exit code 1
    ├── UsageError               2  the command or its input is wrong; nothing was sent
    │   ├── ManifestError        2  the manifest has problems, each with its position
    │   ├── CatalogError         2  a parameter table is wrong
    │   │   └── WrongTables      2  own tables have problems, each with its position
    │   └── PlanDrift            2  a saved plan no longer matches what would be sent
    ├── CredentialsError         6  a key is missing, or may not go where it would go
    └── StorageError             7  the disk or the ledger
        ├── LedgerError          7  the ledger cannot be used
        │   ├── LedgerBusy       7  another process holds it
        │   ├── LedgerNewer      7  a later version wrote it
        │   └── LedgerCorrupt    7  it is damaged
        └── DiskError            7  no room, or no permission

A message says what happened, where, and the next step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.jobs import Problem


class OrchestratorError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command exits with."""

    exit_code = 1


class UsageError(OrchestratorError):
    """The command or its input is wrong. Nothing was sent."""

    exit_code = 2


class ManifestError(UsageError):
    """A manifest has problems; `problems` holds all of them, in file order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class CatalogError(UsageError):
    """A parameter table is missing or wrong."""


class WrongTables(CatalogError):
    """Own tables are wrong; `problems` holds all of them, in the order of the files."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class PlanDrift(UsageError):
    """A saved plan no longer matches the manifest, the files or the tables."""


class CredentialsError(OrchestratorError):
    """A key is missing, or would go to an origin it does not belong to."""

    exit_code = 6


class StorageError(OrchestratorError):
    """The disk or the ledger cannot be used."""

    exit_code = 7


class LedgerError(StorageError):
    """The ledger cannot be used."""


class LedgerBusy(LedgerError):
    """Another process holds the ledger; the message names it."""


class LedgerNewer(LedgerError):
    """The ledger was written by a later version of this program."""


class LedgerCorrupt(LedgerError):
    """The ledger is damaged."""


class DiskError(StorageError):
    """There is no room, or no permission, to write."""
