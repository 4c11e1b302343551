"""One contract for the table of what is learned."""

import pytest
import torch

from storage.errors import Hopeless
from tasks.learning.pairs.table import LESSONS, lesson_of, log_error
from tasks.learning.registry import NETS


@pytest.mark.parametrize("step", LESSONS)
def test_the_test_holds_a_family_that_is_never_trained_on(step: str) -> None:
    lesson = LESSONS[step]
    assert lesson.unseen
    assert not set(lesson.unseen) & set(lesson.families)
    assert step in NETS


def test_an_unknown_step_is_named() -> None:
    with pytest.raises(Hopeless, match="nothing is learned for 'align'"):
        lesson_of("align")


def test_the_loss_is_in_db_of_each_example_and_counts_weighted_pixels_only() -> None:
    truth = torch.zeros(2, 1, 8, 8)
    answer = torch.stack([torch.full((1, 8, 8), 0.1), torch.full((1, 8, 8), 0.01)])
    weight = torch.ones(2, 1, 8, 8)
    assert torch.allclose(log_error(answer, truth, weight), torch.tensor([-20.0, -40.0]), atol=0.01)
    answer[0, 0, 0, 0], weight[0, 0, 0, 0] = 100.0, 0.0
    assert log_error(answer, truth, weight)[0] == pytest.approx(-20.0, abs=0.01)
