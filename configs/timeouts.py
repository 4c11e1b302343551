"""How long a step may take."""

from typing import Annotated

from pydantic import Field

from configs.section import Section


class Timeouts(Section):
    """Longest time a step may take before it is stopped and its run fails; what is done is kept. 0: as long as it needs."""

    ingest_s: Annotated[float, Field(ge=0)]
    """Reading the capture into the store, seconds."""
    average_s: Annotated[float, Field(ge=0)]
    """Mean, variance, noise and defects, seconds."""
    calibrate_s: Annotated[float, Field(ge=0)]
    """Calibrating and cleaning the frames, seconds."""
    align_s: Annotated[float, Field(ge=0)]
    """Registration, seconds."""
    shift_average_s: Annotated[float, Field(ge=0)]
    """The first sky, seconds."""
    measure_seeing_s: Annotated[float, Field(ge=0)]
    """Measuring the seeing, seconds."""
    solve_psfs_s: Annotated[float, Field(ge=0)]
    """Solving the PSFs of one round, seconds."""
    solve_sky_s: Annotated[float, Field(ge=0)]
    """Solving the sky of one round, seconds."""
    evaluate_s: Annotated[float, Field(ge=0)]
    """Evaluation, seconds."""
    fill_s: Annotated[float, Field(ge=0)]
    """Filling of missing pixels, seconds."""
    dewarp_s: Annotated[float, Field(ge=0)]
    """The stack of locally registered frames, seconds."""
    burst_s: Annotated[float, Field(ge=0)]
    """The clean movie, seconds."""
    enhance_s: Annotated[float, Field(ge=0)]
    """The enhanced picture, seconds."""
    merge_s: Annotated[float, Field(ge=0)]
    """One sky from the captures of a session, seconds."""

    combine_s: Annotated[float, Field(ge=0)]
    """Laying the skies of filters on each other, seconds."""

    def of(self, step: str) -> float:
        """The limit of a step, seconds; a step that has none may take as long as it needs (0)."""
        return float(getattr(self, f"{step}_s", 0.0))
