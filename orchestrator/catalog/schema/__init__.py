"""JSON Schemas derived from the parameter tables.

They are marked draft 2020-12 and keep to keywords that mean the same in draft-07, which is what
most editors check with: no `prefixItems`, no `unevaluatedProperties`, no `dependentSchemas`, no
remote references, and nothing beside a `$ref`.
"""

from __future__ import annotations

from orchestrator.catalog.schema.document import manifest_schema, structure_schema
from orchestrator.catalog.schema.files import stale_schemas, write_schemas
from orchestrator.catalog.schema.params import Schema, model_schema, params_schema, wire_schema
from orchestrator.catalog.schema.table import table_schema

__all__ = [
    "Schema",
    "manifest_schema",
    "model_schema",
    "params_schema",
    "stale_schemas",
    "structure_schema",
    "table_schema",
    "wire_schema",
    "write_schemas",
]
