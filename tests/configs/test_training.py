"""Settings of trainings: every profile and step is complete, faults are named, the user's telescope is taken."""

from pathlib import Path

import pytest

from configs.load import BadConfig
from configs.training import STEPS, TrainRequest, training_settings

PROFILES = ("cpu", "gpu")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_and_step_is_complete(step: str, profile: str) -> None:
    settings = training_settings(TrainRequest(step=step, profile=profile))
    assert settings.steps > settings.fold_steps
    assert settings.crop_px <= settings.size_px


def test_the_gpu_profile_is_larger() -> None:
    small, large = (training_settings(TrainRequest(step="enhance", profile=p)) for p in PROFILES)
    assert (large.width, large.skies, large.steps) > (small.width, small.skies, small.steps)


def test_single_settings_can_be_changed() -> None:
    settings = training_settings(TrainRequest(step="fill", overrides=("steps=7", "air.noise=[0.1, 0.2]")))
    assert (settings.steps, settings.air.noise) == (7, (0.1, 0.2))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("stepz=5", "stepz: there is no such setting; did you mean 'steps'"),
        ("steps=0", "steps = 0: Input should be greater than or equal to 1"),
        ("air.wind=[1,2]", "air.wind: there is no such setting"),
        ("steps", "for example --set steps=500"),
        ("deep.er.key=1", "deep: there is no such setting"),
    ],
)
def test_wrong_settings_are_named(wrong: str, told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        training_settings(TrainRequest(step="fill", overrides=(wrong,)))


def test_trainings_that_differ_in_steps_share_their_examples() -> None:
    one, other = (training_settings(TrainRequest(step="fill", overrides=(f"steps={n}",))) for n in (100, 200))
    assert one.examples() == other.examples()
    changed = training_settings(TrainRequest(step="fill", overrides=("air.noise=[0.1, 0.2]",)))
    assert changed.examples() != one.examples()


def test_the_users_telescope_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text("[telescope]\naperture_m = 0.25\nobstruction = 0.2\npixel_scale_arcsec = 0.2\n")
    air = training_settings(TrainRequest(step="enhance", observatory=file)).air
    assert air.obstruction == (0.2, 0.2)
    assert air.aperture_cells[0] == pytest.approx(96 * 0.25 * 0.2 / 206264.806 / 550e-9, rel=1e-6)


def test_recipes_are_few_and_named() -> None:
    plain, fast, full, judged = (
        training_settings(TrainRequest(step="enhance", recipe=name))
        for name in ("conditioned", "fast", "full", "adversarial")
    )
    assert fast.width < plain.width < full.width
    assert (plain.adversarial, plain.perceptual) == (0, 0)
    assert judged.adversarial > 0
    with pytest.raises(BadConfig, match="fill has no recipe 'fast'; known: conditioned"):
        training_settings(TrainRequest(step="fill", recipe="fast"))
