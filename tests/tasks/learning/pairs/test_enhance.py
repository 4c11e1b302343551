"""Pairs for enhance: the same seeds give the same, pictures are worse than their truth, the classical answer is between."""

import numpy as np
import pytest

from configs.training import TrainRequest, training_settings
from tasks.learning.pairs.enhance import domain, judged, simulate

SETTINGS = training_settings(TrainRequest(step="enhance", overrides=("pictures=2", "size_px=64")))


@pytest.fixture(scope="module")
def pairs():
    return simulate("planet", (3, 4), SETTINGS)


def test_the_same_seeds_give_the_same(pairs) -> None:
    again = simulate("planet", (3, 4), SETTINGS)
    assert np.array_equal(pairs.inputs, again.inputs)
    assert np.array_equal(pairs.classical, again.classical)


def test_another_air_gives_other_pictures_of_the_same_sky(pairs) -> None:
    other = simulate("planet", (3, 5), SETTINGS)
    assert not np.array_equal(pairs.inputs, other.inputs)
    assert np.corrcoef(pairs.truth[0].ravel(), other.truth[0].ravel())[0, 1] > 0.95


def test_the_truth_is_judged_best_and_consistent(pairs) -> None:
    figures = judged(pairs, pairs.truth)
    assert (figures["gain"] > 12).all()
    assert (figures["learned_chi2"] < 20.0).all()  # the PSF is known to 8 % only
    assert not figures["new_sources"].any()
    assert np.abs(judged(pairs, pairs.classical)["gain"]).max() < 1e-4
    assert (figures["classical_db"] > figures["picture_db"]).any()


def test_lost_light_is_put_back_and_an_invented_star_is_counted(pairs) -> None:
    answers = 0.8 * pairs.truth
    answers[:, 0, 5:7, 5:7] += 0.5
    figures = judged(pairs, answers)
    assert (figures["light_error"] < 1e-3).all()
    assert (figures["new_sources"] >= 1).all()


def test_its_domain_is_that_of_the_simulated_conditions(pairs) -> None:
    found = domain(pairs)
    assert (found["fwhm_px"] > 1).all()
    assert ((found["relative_sigma"] > 1e-4) & (found["relative_sigma"] < 0.03)).all()
