"""Settings of the training of the learned answers: a table per profile and step in learning/defaults.toml."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from configs.complaints import explained, root_causes
from configs.load import BadConfig, apply_override, load_config
from configs.schema import ARCSEC_PER_RAD
from configs.section import Count, Positive, Section

STEPS = ("fill", "dewarp", "burst", "enhance")
"""Steps with a learned answer."""


class Air(Section):
    """Conditions that captures are simulated in."""

    d_over_r0: tuple[Positive, Positive]
    """Range of the aperture's diameter over Fried's r0, a ratio."""
    noise: tuple[Positive, Positive]
    """Range of the noise as a fraction of the brightest pixel."""
    test_noise: tuple[Positive, Positive]
    """The same in the sealed test set, as a fraction: what a model is tested for, and may be used for."""
    obstruction: tuple[Annotated[float, Field(ge=0, lt=0.95)], Annotated[float, Field(ge=0, lt=0.95)]]
    """Range of the central obstruction, as a fraction of the aperture's diameter."""
    aperture_cells: tuple[Annotated[float, Field(ge=8, le=48)], Annotated[float, Field(ge=8, le=48)]]
    """Range of the pupil's diameter on a grid of 96 cells, a number of cells: 48 is a pixel of lambda / 2D."""


class Examples(Section):
    """Which examples are simulated: trainings that differ in other settings only share them."""

    skies: Count
    """Number of simulated skies per family that are trained on."""
    test_skies: Count
    """Number of simulated skies per family in the sealed test set, and in the validation set."""
    pictures: Count
    """Number of pictures of each sky."""
    size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=4)]
    """Side of a simulated picture."""
    seed: int
    """Number of the random stream of the skies, the air, the net and the batches."""
    air: Air
    """Conditions of the simulated captures."""


class Training(Examples):
    """How one net is trained."""

    width: Annotated[int, Field(ge=2, le=128)]
    """Width of the net: number of channels at its finest scale."""
    crop_px: Annotated[int, Field(ge=16, le=1024, multiple_of=4)]
    """Side of what is cut out of a picture for a batch."""
    batch: Count
    """Number of examples in a batch."""
    steps: Count
    """Optimiser steps of the fit: a fixed number, so that a result does not depend on the machine's speed."""
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Learning rates to choose from by k-fold, each a factor of the step."""
    folds: Annotated[int, Field(ge=1, le=10)]
    """Number of folds in the choice; 1: the first rate is taken without a choice."""
    fold_steps: Count
    """Optimiser steps per fold."""
    ladder_steps: Count
    """Optimiser steps of each of the first two rungs: one batch, ten examples."""
    checkpoint_steps: Count
    """Optimiser steps from one checkpoint, and validation, to the next."""
    clip: Positive
    """Largest norm of a gradient, as a number of units of the loss per weight."""
    perceptual: Annotated[float, Field(ge=0)]
    """Weight of the distance between features of answer and truth, a factor; the features are learned from the examples."""
    adversarial: Annotated[float, Field(ge=0)]
    """Weight of a critic that learns to tell answers from truths, a factor; 0: there is none."""
    augment: bool
    """Turn and mirror examples at random."""

    def examples(self) -> Examples:
        """The part that decides on the simulated examples."""
        return Examples(**{name: getattr(self, name) for name in Examples.model_fields})


class TrainRequest(Section):
    """A net to train."""

    step: Literal["fill", "dewarp", "burst", "enhance"]
    """Step whose answer is learned."""
    profile: Literal["cpu", "gpu"] = "cpu"
    """Size of the net and of the training."""
    recipe: str = "conditioned"
    """What else is wanted of the net: a table of learning/defaults.toml; conditioned: nothing else."""
    observatory: Path | None = None
    """Your settings (TOML) with the telescope; none: telescopes of all kinds."""
    store: Path | None = None
    """Where results of steps are kept; none: STILLSKY_STORE, or the user's cache folder."""
    models: Path | None = None
    """Where models are kept; none: STILLSKY_MODELS, or the user's data folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What computes."""
    reseal: bool = False
    """Test on new skies although this test set was not opened by another training."""
    promote: bool = True
    """Promote the model if it passes its gate."""
    overrides: tuple[str, ...] = ()
    """Single settings of the training, each key=value."""


def training_settings(request: TrainRequest) -> Training:
    """The settings of a step's training, for the user's telescope where a file names it."""
    table = tomllib.loads((Path(__file__).parent / "learning" / "defaults.toml").read_text(encoding="utf-8"))
    larger = table["gpu"][request.step] if request.profile == "gpu" else {}
    values: dict[str, Any] = {
        **table["common"],
        **table["cpu"][request.step],
        **larger,
        **_recipe(table, request),
    }
    values["air"] = {**table["air"], **values.get("air", {})}
    if request.observatory is not None:
        values["air"].update(_telescope(request.observatory))
    for override in request.overrides:
        apply_override(values, override, "steps=500 or air.d_over_r0=[2, 5]")
    try:
        return Training.model_validate(values)
    except ValidationError as error:
        faults = dict.fromkeys(explained(e, (Training,)) for e in root_causes(error.errors()))
        raise BadConfig("\n".join(["the training's settings cannot be used:", *faults])) from None


def _recipe(table: dict[str, Any], request: TrainRequest) -> dict[str, Any]:
    known = {"conditioned": {}, **table["recipe"].get(request.step, {})}
    if request.recipe not in known:
        raise BadConfig(f"{request.step} has no recipe {request.recipe!r}; known: {', '.join(known)}")
    return dict(known[request.recipe])


def _telescope(file: Path) -> dict[str, Any]:
    """Obstruction and sampling of the user's telescope as ranges of one value."""
    telescope = load_config(file).telescope
    found: dict[str, Any] = {"obstruction": (telescope.obstruction,) * 2}
    if telescope.aperture_m is not None and telescope.scale_arcsec is not None:
        pixel = telescope.scale_arcsec / ARCSEC_PER_RAD
        cells = 96 * telescope.aperture_m * pixel / (telescope.wavelength_of(0) * 1e-9)
        found["aperture_cells"] = (min(max(cells, 8.0), 48.0),) * 2
    return found
