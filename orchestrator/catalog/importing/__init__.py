"""From a saved documentation page of a model to its parameter table.

What cannot be read for certain is never guessed: it is left out of the draft, and a doubt says
where on the page a person has to look.
"""

from __future__ import annotations

from orchestrator.catalog.importing.draft import Doubt, Draft, Imported
from orchestrator.catalog.importing.reading import read_page
from orchestrator.catalog.importing.writing import table_text

__all__ = ["Doubt", "Draft", "Imported", "read_page", "table_text"]
