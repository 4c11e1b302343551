"""seeing: the strength of the air from the frames alone, and a mean power that falls with frequency."""

from typing import Any

import numpy as np
import pytest

from tasks.products.frames import FLAGS


@pytest.mark.parametrize(("name", "strength"), [("planet", 4.0), ("rough", 8.0)])
def test_strength_is_found(name: str, strength: float, request: pytest.FixtureRequest) -> None:
    filmed = request.getfixturevalue(name)
    found = filmed.note(filmed.seeing, "d_over_r0", "channel0")
    assert found == pytest.approx(strength, rel=0.25)
    assert 0 < filmed.note(filmed.seeing, "uncertainty", "channel0") < 0.5
    assert filmed.note(filmed.seeing, "rings_used", "channel0") >= 3


def test_stronger_air_leaves_less(planet: Any, rough: Any) -> None:
    calm, wild = (f.read(f.air, "channel0/mean_power") for f in (planet, rough))
    for power in (calm, wild):
        assert power[0] == pytest.approx(1)
        assert (np.diff(power[:20]) < 0).all()
        assert (power > 0).all()
    assert (wild[3:20] < calm[3:20]).all()


def test_every_usable_frame_has_its_power(planet: Any, spoiled: Any) -> None:
    for filmed in (planet, spoiled):
        flags, power = filmed.read(filmed.stack, "flags"), filmed.read(filmed.seeing, "channel0/frame_power")
        assert len(FLAGS) <= 8
        np.testing.assert_array_equal(np.isnan(power).all(axis=1), flags != 0)
        assert filmed.note(filmed.seeing, "frames", "channel0") == (flags == 0).sum()


def test_every_channel_is_measured(coloured: Any) -> None:
    found = [coloured.note(coloured.seeing, "d_over_r0", f"channel{c}") for c in range(3)]
    np.testing.assert_allclose(found, found[0], rtol=0.2)  # the same air in another brightness
