"""Complaints as sentences: the setting, its value, the limit, the nearest right name."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from configs.complaints import explained, root_causes
from configs.section import Section


class Inner(Section):
    """A table in a table."""

    share: Annotated[float, Field(ge=0, le=1)]
    """Fraction."""


class Outer(Section):
    """A table."""

    inner: Inner
    """Another."""


def told(**values: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    return [explained(error, (Outer,)) for error in root_causes(caught.value.errors())]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"inner": {"share": 0.1}, "iner": {}}, "iner: there is no such setting; did you mean 'inner'?"),
        ({"inner": {"share": 0.1, "zzz": 1}}, "inner.zzz: there is no such setting; known here: share"),
        ({"inner": {"share": 30}}, "inner.share = 30: Input should be less than or equal to 1; a fraction, 0.3?"),
    ],
)
def test_a_fault_is_one_sentence(values: dict[str, object], sentence: str) -> None:
    assert [each.strip() for each in told(**values)] == [sentence]
