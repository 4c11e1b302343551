"""The small trainings of the studies: what they measure is what it says."""

import pytest

from tasks.learning.study_cells import burst_cell, surgery_cell


@pytest.mark.slow
def test_knowing_the_frame_copies_its_noise_and_not_knowing_it_does_not() -> None:
    without = burst_cell(25, 16, "static", False, False, "value")
    leaking = burst_cell(60, 16, "static", True, False, "value")
    assert leaking["residual_ratio"] < 0.9 < without["residual_ratio"]
    assert (leaking["identity_leak"], without["identity_leak"]) == ("yes", "no")
    assert without["best_db"] > leaking["last_db"]


def test_the_quantised_head_starts_near_the_mean_of_the_neighbours() -> None:
    found = burst_cell(1, 16, "static", False, False, "quantised")
    assert found["best_db"] > 22  # the neighbours' mean has 26 dB, a frame 20 dB


@pytest.mark.slow
def test_a_widened_net_answers_a_second_frame_and_its_last_layer_alone_can_be_trained() -> None:
    found = surgery_cell(2, "last", 0.05, "value", "first")
    assert found["widened_db"] == pytest.approx(found["one_frame_db"], abs=0.01)
    assert found["trained_weights"] == 2
