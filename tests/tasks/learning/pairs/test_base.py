"""Sets of pairs are joined and picked from."""

import numpy as np

from tasks.learning.pairs.base import joined
from tests.tasks.learning.conftest import toy_pairs


def test_sets_are_joined_and_picked_from() -> None:
    both = joined([toy_pairs(2, 0), toy_pairs(3, 50)])
    assert len(both) == 5
    assert both.at(np.array([4])).seeds.tolist() == [[52, 52]]
