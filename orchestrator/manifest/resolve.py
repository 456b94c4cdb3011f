"""A combination → a job: variables filled in, model found, everything checked against its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.manifest import templates
from orchestrator.manifest.names import model_hint, unknown_name_hint
from orchestrator.manifest.parameters import UNKNOWN, Parameters, unknown_parameter
from orchestrator.manifest.problems import Place
from orchestrator.manifest.scalars import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.catalog.spec import Catalog, Model
    from orchestrator.jobs import Reference, Value
    from orchestrator.manifest.data import Data
    from orchestrator.manifest.drafts import Entry
    from orchestrator.manifest.faults import Fault
    from orchestrator.manifest.multiply import Combination
    from orchestrator.manifest.problems import Findings
    from orchestrator.manifest.reference_lists import ReferenceLists


class Resolved(NamedTuple):
    """What one combination generates with."""

    model: Model
    prompt: str
    params: Mapping[str, Value]
    references: tuple[Reference, ...]


@dataclass(slots=True)
class Resolver:
    """Resolves combinations one after the other; asks each question once."""

    catalog: Catalog
    findings: Findings
    references: ReferenceLists
    #: Parameters of `defaults` that the model of some job has.
    fitting: set[str] = field(default_factory=set)
    #: Parameters of `defaults` that some models do not have, and these models by name.
    strange: dict[str, tuple[Entry, dict[str, Model]]] = field(default_factory=dict)
    _parameters: Parameters = field(default_factory=Parameters)
    _models: dict[str, tuple[Model, ...]] = field(default_factory=dict)

    def resolve(self, one: Combination) -> Resolved | None:
        """What a combination generates with; None where there were problems."""
        model = self._model(one)
        prompt = self._prompt(one, model)
        params = self._params(one, model)
        references = self._references(one, model)
        if model is None or prompt is None or params is None or references is None:
            return None
        return Resolved(model, prompt, params, references)

    def report_strange_defaults(self, own_model: object) -> None:
        """Report parameters of `defaults` that neither a job's model has nor `own_model`.

        `own_model` is the model that `defaults` names.
        """
        own = self.catalog.candidates(own_model) if isinstance(own_model, str) else ()
        for key, (entry, models) in self.strange.items():
            if key not in self.fitting and not any(model.param(key) for model in own):
                fault = unknown_parameter(key, list(models.values()))
                place = _name_place(entry)
                self.findings.report(place, fault.code, fault.message, fault.hint)

    def filled(self, entry: Entry, one: Combination) -> Entry | None:
        """The entry with its variables filled in; None where that is not possible.

        An entry that is one variable and nothing else becomes what the variable stands for, type
        and place included.
        """
        text = entry.value
        # A cell is data: what looks like a variable in it is text.
        if not isinstance(text, str) or "{{" not in text or entry.path[:1] == ("rows",):
            return entry
        if not self._variables_fit(entry, one):
            return None
        whole = templates.whole_variable(text)
        if whole is not None:
            return one.variables[whole]._replace(is_text=True)
        values = {name: one.variables[name].value for name in templates.names_in(text)}
        made = templates.fill(text, values)
        if made is None:
            most = templates.MAX_CHARACTERS
            self.findings.report(
                entry.place, "too-long", f"the text grows beyond {most} characters"
            )
            return None
        return entry._replace(value=made, is_text=True)

    def _variables_fit(self, entry: Entry, one: Combination) -> bool:
        fits = True
        for name in templates.names_in(entry.value):
            if name not in one.variables:
                fits = False
                if one.draft.variables_known and name not in one.draft.spoiled:
                    self._report_unknown(name, entry, one)
        if templates.is_unfinished(entry.value):
            fits = False
            hint = "write {{name}}, with the name of a variable and nothing else"
            self.findings.report(entry.place, "bad-template", "`{{` opens no variable here", hint)
        return fits

    def _report_unknown(self, name: str, entry: Entry, one: Combination) -> None:
        message = f"the variable `{name}` is not defined"
        if self.findings.knows(entry.place, "unknown-variable", message):
            return
        hint = "define it under `vars`"
        if not templates.is_name(name):
            hint = "a variable is a name alone: nothing is calculated, and there are no filters"
        elif one.variables:
            hint = unknown_name_hint(name, sorted(one.variables))
        self.findings.report(entry.place, "unknown-variable", message, hint)

    # --- one function for each part of a job ---------------------------------------------------

    def _missing(self, one: Combination, name: str, hint: str) -> None:
        if name in one.draft.spoiled:
            return
        if name in one.variables:
            hint = f'write `{name}: "{{{{{name}}}}}"` to use the variable'
        self.findings.report(one.draft.place, "missing-key", f"`{name}` is missing", hint)

    def _model(self, one: Combination) -> Model | None:
        entry = one.fields.get("model")
        if entry is None:
            self._missing(one, "model", "name it here or under `defaults`")
            return None
        filled = self.filled(entry, one)
        if filled is None:
            return None
        name = as_text(filled.value)
        if name not in self._models:
            self._models[name] = self.catalog.candidates(name)
        candidates = self._models[name]
        if len(candidates) != 1:
            self._report_model(filled, name, candidates)
            return None
        return candidates[0]

    def _report_model(self, entry: Entry, name: str, candidates: tuple[Model, ...]) -> None:
        if candidates:
            names = ", ".join(model.name for model in candidates)
            message = f"several providers have `{name}`"
            self.findings.report(entry.place, "ambiguous-model", message, f"write one of {names}")
            return
        message = f"no model is called `{name}`" if name else "the model's name is empty"
        self.findings.report(entry.place, "unknown-model", message, model_hint(name, self.catalog))

    def _prompt(self, one: Combination, model: Model | None) -> str | None:
        entry = one.fields.get("prompt")
        if entry is None:
            self._missing(one, "prompt", "write it here, or `prompts`, or under `defaults`")
            return None
        filled = self.filled(entry, one)
        if filled is None:
            return None
        prompt = as_text(filled.value)
        limit = model.prompt_limit if model is not None else None
        if not prompt.strip():
            message = f"the prompt{_which(entry, prompt, one)} is empty"
            self.findings.report(entry.place, "empty", message, "write what is to be seen")
            return None
        if "{{" in prompt:
            message = "a value that was filled into the prompt holds a `{{`, which stays as it is"
            hint = "values are not searched for variables; write the text out"
            self.findings.warn(entry.place, "literal-braces", message, hint)
        if model is not None and limit is not None and len(prompt) > limit:
            length = f"the prompt{_which(entry, prompt, one)} has {len(prompt)} characters"
            message = f"{length}; {model.model} takes at most {limit}"
            self.findings.report(entry.place, "too-long", message, "shorten it")
            return None
        return prompt

    def _params(self, one: Combination, model: Model | None) -> Mapping[str, Value] | None:
        stated: list[tuple[str, Data, bool]] = []
        known: dict[str, Entry] = {}
        for key, entry in one.params.items():
            is_default = one.draft.defaulted.get(key) is entry
            if is_default and model is not None and self._is_strange(key, entry, model):
                continue
            filled = self.filled(entry, one) if isinstance(entry.value, str) else entry
            if filled is None:
                stated.append((key, UNKNOWN, False))
            else:
                stated.append((key, filled.value, filled.is_text))
                known[key] = filled
        if model is None:
            return None
        checked = self._parameters.check(model, tuple(stated))
        for fault in checked.faults:
            self._report_param(fault, one, known)
        return None if checked.faults or len(known) < len(stated) else checked.wire

    def _is_strange(self, key: str, entry: Entry, model: Model) -> bool:
        """Whether a parameter of `defaults` is left out, as it is another model's."""
        if model.param(key) is not None:
            self.fitting.add(key)
            return False
        self.strange.setdefault(key, (entry, {}))[1][model.name] = model
        return True

    def _report_param(self, fault: Fault, one: Combination, known: Mapping[str, Entry]) -> None:
        if fault.code == "missing-key":
            # A table or an axis that could not be read might have brought it.
            if not one.draft.spoiled & {"params", "matrix", "rows", *fault.names}:
                self.findings.report(one.draft.place, fault.code, fault.message, fault.hint)
            return
        key = str(fault.path[0])
        place = _name_place(one.params[key]) if fault.key else known[key].place
        # Where a variable stands, nothing says what it is used for.
        is_elsewhere = not fault.key and place != one.params[key].place
        message = f"{fault.message}, as `{key}`" if is_elsewhere else fault.message
        self.findings.report(place, fault.code, message, fault.hint)

    def _references(self, one: Combination, model: Model | None) -> tuple[Reference, ...] | None:
        entry = one.fields.get("references")
        return self.references.read(
            entry, model, lambda inner: self.filled(inner, one), one.draft, self.findings
        )


def _name_place(entry: Entry) -> Place:
    """Where the name of a parameter stands: its key, its axis or its column."""
    path = entry.path[:-1] if isinstance(entry.path[-1], int) else entry.path
    return Place(entry.source, path, key=True)


def _which(entry: Entry, prompt: str, one: Combination) -> str:
    """Which of many prompts this is, where it was composed: its job's key, its row's line."""
    if prompt == entry.value:
        return ""
    if one.row_place is None:
        return f" of {one.key}"
    source = one.row_place.source
    line, _column = source.locate(one.row_place.path)
    return f" of {one.key} ({source.file}, line {line})"
