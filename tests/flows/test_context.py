"""A value holds inside its block only, however that ends."""

from contextvars import ContextVar

import pytest

from flows.context import value_within


def test_a_value_holds_inside_its_block_only() -> None:
    variable: ContextVar[int] = ContextVar("number", default=0)
    with value_within(variable, 1):
        with value_within(variable, 2):
            assert variable.get() == 2
        assert variable.get() == 1
    assert variable.get() == 0


def test_an_error_ends_the_value_too() -> None:
    variable: ContextVar[int] = ContextVar("number", default=0)
    with pytest.raises(RuntimeError), value_within(variable, 1):
        raise RuntimeError
    assert variable.get() == 0
