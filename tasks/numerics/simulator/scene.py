"""What a simulated capture is made of: telescope, turbulence, mount and camera."""

from dataclasses import dataclass

import numpy as np

WINDS = ((0.55, 6.0, 30.0), (0.30, 11.0, 140.0), (0.15, 19.0, 250.0))
STATIC = {"defocus": 4, "astig45": 5, "astig": 6, "coma": 7, "coma0": 8, "trefoil": 9, "spherical": 11}
"""Aberrations by name, and their number in Noll's order of the Zernike modes; coma is along y, coma0 along x."""
COLOURS = ("R", "G", "B")
WAVELENGTH_RATIOS = (620 / 550, 1.0, 460 / 550)
"""Wavelengths of red, green and blue as fractions of the scene's own, which is green."""


@dataclass(frozen=True)
class SimulatedScene:
    """Everything about a simulated capture but the sky: telescope, turbulence, mount and camera."""

    n_frames: int = 100
    """Frames in the capture; ignored where PSFs are given, one for each frame."""
    size_px: int = 160
    """Width of a frame, in pixels."""
    height_px: int = 0
    """Height of a frame, in pixels; 0: as high as wide."""
    psf_px: int = 128
    """Width of the grid a PSF is made on, in pixels, even: about 12 D/r0 and not below 96, or light is aliased."""
    aperture_m: float = 0.25
    """Diameter of the telescope, in metres."""
    aperture_cells: float = 0.0
    """Diameter of the pupil in cells of the PSF's grid; 0 is half the grid, Nyquist sampling (pixel = lambda / 2D)."""
    obstruction: float = 0.33
    """Central obstruction, as a fraction of the aperture's diameter."""
    static: tuple[tuple[str, float], ...] = ()
    """Aberrations of the telescope that every frame has: (name, waves rms); names are those of STATIC."""
    spider: float = 0.0
    """Width of the four vanes that hold the secondary mirror, as a fraction of the aperture's diameter; 0 is none."""
    pixel_fill: float = 1.0
    """Width of the area a pixel collects light on, as a fraction of the pixel; 0 samples points."""
    binning: int = 1
    """Width of the camera's pixels in pixels of the sky's grid, in which all other lengths are; 1 takes every pixel."""
    d_over_r0: float = 6.0
    """Strength of the seeing: the aperture's diameter over Fried's r0, dimensionless; 0 is no turbulence."""
    outer_scale_m: float = 20.0
    """Outer scale of the turbulence, L0, in metres."""
    winds: tuple[tuple[float, float, float], ...] = WINDS
    """Turbulent layers: (share of the turbulence, wind speed in m/s, direction in degrees from +x towards +y)."""
    exposure_s: float = 0.004
    """Exposure of a frame, in seconds, during which the wind moves the layers."""
    fps: float = 60.0
    """Frames per second."""
    n_subexposures: int = 3
    """Instantaneous PSFs averaged over a frame's exposure, a count."""
    photons_peak: float = 4000.0
    """Electrons per frame in the brightest pixel of the sky as the perfect telescope would show it."""
    background_e: float = 0.0
    """Electrons per pixel and frame from the night sky's glow."""
    read_noise_e: float = 2.0
    """Read noise per pixel, in electrons rms."""
    bits: int = 12
    """Bits of the camera's converter, 1 .. 16: up to 8 give uint8 frames, above uint16, low-aligned."""
    offset_adu: float = 8.0
    """Level of the dark, in ADU, added before the converter clips."""
    gain_e_per_adu: float | None = None
    """Electrons per ADU; None chooses it so that the perfect telescope's brightest pixel stays at `full_scale`."""
    full_scale: float = 0.8
    """Level of the turbulence-free picture's brightest pixel, as a fraction of the converter's range."""
    drift_px: tuple[float, float] = (0.0, 0.0)
    """Slow drift (dy, dx) over the whole capture, in pixels, half of it before the middle frame."""
    jitter_px: float = 0.3
    """Pointing error of each frame, in pixels rms per axis."""
    clouds: float = 0.0
    """Slow change of transparency by thin clouds: rms of its logarithm, dimensionless."""
    colours: bool = False
    """Red, green and blue pictures of each frame, through the same turbulence at their own wavelengths."""
    mosaic: str = ""
    """Colours of the sensor's first two rows, for example RGGB; empty: no mosaic."""
    dispersion_px: float = 0.0
    """How far red stands from blue in every frame, along y, in pixels: the atmosphere as a prism."""
    defects: bool = False
    """Hot and dead pixels, cosmic rays, a frame without light and repeated frames."""
    seed: int = 0
    """Seed of everything random; turbulence, pointing, clouds and camera use independent streams."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what a frame shows, in pixels of the sky's grid."""
        return self.height_px or self.size_px, self.size_px

    @property
    def sensor_shape(self) -> tuple[int, int]:
        """Height and width of a frame, in the camera's pixels."""
        return -(-self.shape[0] // self.binning), -(-self.shape[1] // self.binning)

    @property
    def pixel_width(self) -> float:
        """Width of the area a camera pixel collects light on, in pixels of the sky's grid."""
        return self.pixel_fill * self.binning

    @property
    def diameter_cells(self) -> float:
        """Diameter of the pupil in cells of the PSF's grid."""
        return self.aperture_cells or self.psf_px / 2

    def stream(self, which: int) -> np.random.Generator:
        """Independent random numbers for turbulence (0), pointing (1), clouds (2), camera (3) and defects (4)."""
        return np.random.default_rng([self.seed, which])
