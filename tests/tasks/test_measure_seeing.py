"""measure_seeing: the strength of the air from the frames alone, and a mean power that falls with frequency."""

from typing import Any

import numpy as np
import pytest

from tasks.products.frames import FLAGS


@pytest.mark.parametrize(("name", "strength"), [("planet", 4.0), ("rough", 8.0)])
def test_strength_is_found(name: str, strength: float, request: pytest.FixtureRequest) -> None:
    filmed = request.getfixturevalue(name)
    (found,) = filmed.read(filmed.seeing, "d_over_r0")
    assert found == pytest.approx(strength, rel=0.25)
    assert 0 < filmed.read(filmed.seeing, "log_d_over_r0_sigma")[0] < 0.5


def test_stronger_air_leaves_less(planet: Any, rough: Any) -> None:
    calm, wild = (f.read(f.seeing, "mean_power")[0] for f in (planet, rough))
    for power in (calm, wild):
        assert power[0] == pytest.approx(1)
        assert (np.diff(power[:20]) < 0).all()
        assert (power > 0).all()
    assert (wild[3:20] < calm[3:20]).all()


def test_every_usable_frame_has_its_power(planet: Any, spoiled: Any) -> None:
    for filmed in (planet, spoiled):
        flags, power = filmed.read(filmed.stack, "flags"), filmed.read(filmed.seeing, "frame_power")[0]
        assert len(FLAGS) <= 8
        np.testing.assert_array_equal(np.isnan(power).all(axis=1), flags != 0)


def test_every_channel_is_measured(coloured: Any) -> None:
    found = coloured.read(coloured.seeing, "d_over_r0")
    assert found.shape == (3,)
    np.testing.assert_allclose(found, found[0], rtol=0.2)  # the same air in another brightness
