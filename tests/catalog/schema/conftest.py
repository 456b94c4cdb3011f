import pytest
from jsonschema import Draft7Validator, Draft202012Validator


@pytest.fixture(scope="session")
def dialects():
    """The validators of what checkers know (2020-12) and of what editors know (draft-07)."""
    return (Draft202012Validator, Draft7Validator)


@pytest.fixture(scope="session")
def places(dialects):
    """Where the errors of a value are, one for each; both dialects must name the same places."""

    def _places(schema, value):
        found = [
            sorted(error.json_path for error in dialect(schema).iter_errors(value))
            for dialect in dialects
        ]
        assert found[0] == found[1]
        return found[0]

    return _places
