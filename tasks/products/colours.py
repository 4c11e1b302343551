"""The colours of a capture: one of a mono camera, three of RGB frames or of a mosaic; and which of them is solved."""

from dataclasses import dataclass

from tasks.numerics.fourier.sampling import FULL, Sampling, bayer_samplings
from tasks.numerics.frames.mosaic import sites_of


@dataclass(frozen=True)
class Colour:
    """Where one colour stands in the frames; its number is the channel of stacks and skies."""

    plane: int
    """Channel of the raw frames."""
    sampling: Sampling
    """Its pixels there."""


@dataclass(frozen=True)
class Colours:
    """All colours of a capture."""

    each: tuple[Colour, ...]

    def __len__(self) -> int:
        return len(self.each)

    def __getitem__(self, channel: int) -> Colour:
        return self.each[channel]

    @property
    def period(self) -> int:
        """Period of the mosaic, px; 1 where there is none."""
        return max(colour.sampling.period for colour in self.each)

    @property
    def reference(self) -> int:
        """The colour whose PSFs are solved, and carried to the others: the one that tells most."""
        return reference_of(len(self))

    @property
    def sites(self) -> list[list[int]]:
        """Numbers of each colour's sites among those of the split frames."""
        return [sites_of(colour.sampling, colour.plane, self.period) for colour in self.each]


def reference_of(channels: int) -> int:
    """Green of three colours."""
    return 1 if channels == 3 else 0


def colours_of(planes: int, mosaic: str) -> Colours:
    """The colours of raw frames with so many planes."""
    if mosaic:
        return Colours(tuple(Colour(0, sampling) for sampling in bayer_samplings(mosaic)))
    return Colours(tuple(Colour(plane, FULL) for plane in range(planes)))
