"""The skies of a simulated session become one that is nearer the truth than each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.finishing import Session
from configs.observatory import Site
from storage.captures.sessions import globe_of, session_aspects
from storage.errors import NothingToDo
from storage.product import Product
from storage.store import Store
from tasks.benchmark.simulate import simulate
from tasks.benchmark.turning import Turning
from tasks.evaluate import evaluate
from tasks.merge import merge
from tasks.numerics.judging.metrics import match
from tasks.numerics.simulator.observe import canvas_px, truth
from tasks.numerics.simulator.scene import SimulatedScene
from tasks.products.contents import Evaluated
from tasks.products.session_contents import SessionSky
from tasks.running.step import Run
from tests.tasks.conftest import Filmed

BEGIN = datetime(2026, 11, 20, 22, 14)
SHAPE = {"n_frames": 24, "size_px": 72, "photons_peak": 3000.0, "fps": 10.0, "d_over_r0": 3.0, "rotation": True}
NORTH_DEG = 40.0


class Evening:
    """Three captures, ten minutes apart, and their evaluated skies in one store."""

    def __init__(self, folder: Path) -> None:
        self.moments = [BEGIN + timedelta(minutes=10 * k) for k in range(3)]
        self.captures = []
        for k, moment in enumerate(self.moments):
            out = folder / f"jupiter_{k}.ser"
            simulate(out, {**SHAPE, "seed": k, "started": moment.isoformat(), "north_deg": NORTH_DEG})
            self.captures.append(Filmed(out, folder / "store"))
        self.run = Run(Store(folder / "store"))
        self.products = tuple(self._evaluated(each) for each in self.captures)

    @staticmethod
    def _evaluated(filmed: Filmed) -> Product:
        config = filmed.config
        return evaluate(filmed.run, filmed.inputs, filmed.sky, config.telescope, config.evaluate, config.colour)

    def merged(self, session: Session, slots: Sequence[int] = (-1, -1, -1)) -> Product:
        moments = [moment.replace(tzinfo=UTC) for moment in self.moments]
        aspects = session_aspects("Jupiter", moments, None, Site(), session)
        return merge(self.run, self.products, tuple(slots), aspects, globe_of("Jupiter"), session)

    def picture(self, product: Product) -> NDArray[np.float32]:
        with self.run.store.view(SessionSky, product) as made:
            return made.published[:]


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Evening:
    return Evening(tmp_path_factory.mktemp("evening"))


@pytest.fixture(scope="module")
def session(evening: Evening) -> Session:
    return evening.captures[0].config.session.model_copy(update={"north_deg": NORTH_DEG})


def test_the_session_is_nearer_the_truth_of_its_middle_than_the_best_capture(
    evening: Evening, session: Session
) -> None:
    scene = SimulatedScene(size_px=72, psf_px=96)
    want = truth(Turning(NORTH_DEG).sky(canvas_px(scene), evening.moments[1])(1.2), scene).diffraction
    singles = []
    for filmed, product in zip(evening.captures, evening.products, strict=True):
        with evening.run.store.view(Evaluated, product) as judged:
            singles.append(match(filmed.truth, judged.published[0]).psnr_db)
    product = evening.merged(session)
    session_db = match(want, evening.picture(product)[0]).psnr_db
    mean_error_db = -10 * np.log10(np.mean(10 ** (-np.array(singles) / 10)))
    assert session_db > mean_error_db + 3, "independent errors of three would give 4.8"
    assert session_db > max(singles) + 1.5
    with evening.run.store.view(SessionSky, product) as made:
        assert made.weights.shape[:2] == (3, 1)
        assert made.figures["nearest"] == 1
        assert np.isfinite(made.belief[:]).all()
        assert made.figures["north_deg"] == NORTH_DEG


def test_the_same_session_is_not_made_again(evening: Evening, session: Session) -> None:
    product = evening.merged(session)
    made = evening.run.store.path(product).stat().st_mtime_ns
    assert evening.merged(session.model_copy(update={"gap_s": 60.0})) == product, (
        "how captures are found changes nothing"
    )
    assert evening.run.store.path(product).stat().st_mtime_ns == made


def test_north_is_found_from_the_captures_alone(evening: Evening) -> None:
    found = evening.merged(evening.captures[0].config.session)
    with evening.run.store.view(SessionSky, found) as made:
        figures = made.figures
    assert figures["north"] == "found"
    assert figures["north_deg"] == pytest.approx(NORTH_DEG, abs=5)
    assert [disc["north_deg"] for disc in figures["discs"]] == pytest.approx([figures["north_deg"]] * 3, abs=0.1)


def test_captures_through_filters_become_channels(evening: Evening, session: Session) -> None:
    picture = evening.picture(evening.merged(session, (0, 1, 2)))
    assert picture.shape == (3, 72, 72)
    grey = evening.picture(evening.merged(session))[0]
    assert match(grey, picture[2]).psnr_db > 25, "all show the middle of the session"


def test_a_planet_without_a_limb_and_a_scale_is_said(evening: Evening, session: Session) -> None:
    moments = [moment.replace(tzinfo=UTC) for moment in evening.moments]
    aspects = session_aspects("Saturn", moments, None, Site(), session)
    with pytest.raises(NothingToDo, match="pixel scale"):
        merge(evening.run, evening.products, (-1,) * 3, aspects, globe_of("Saturn"), session)
