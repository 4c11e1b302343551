"""Procedural skies for simulated captures: planet, moon, sun, satellite, stars and galaxy, in 0..1.

Each is drawn on the whole canvas, finer than the pixels. Compact targets take about a quarter of the canvas, that is
45 % of a frame when the canvas also has room for the PSFs; moon and sun fill it beyond the frame's border.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree
from scipy.special import expit

from tasks.numerics.fourier.binning import binned

Sky = NDArray[np.float32]
Image = NDArray[np.float64]


def _finish(image: Image) -> Sky:
    sky: Sky = np.clip(image / image.max(), 0.0, 1.0).astype(np.float32)
    return sky


def _clouds(shape: tuple[int, int], slope: float, rng: np.random.Generator, stretch: float = 1.0) -> Image:
    """Periodic random field of unit rms with amplitude ~ f^-slope, drawn out along x by `stretch`."""
    ky = np.fft.fftfreq(shape[0])[:, None] * shape[0]
    kx = np.fft.rfftfreq(shape[1])[None] * shape[0] * stretch
    k = np.hypot(ky, kx)
    k[0, 0] = np.inf
    field: Image = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * k**-slope, s=shape)
    field /= field.std()
    return field


def _belts(latitude: Image) -> Image:
    """Brightness of Jupiter's belts and zones against latitude in degrees."""
    light = np.full_like(latitude, 0.97)
    edges = ((-18, -7, 0.42), (8, 17, 0.45), (24, 28, 0.22), (-33, -28, 0.20), (36, 39, 0.15), (-45, -40, 0.16))
    for low, high, depth in edges:
        light -= depth * 0.25 * (1 + np.tanh((latitude - low) / 0.8)) * (1 - np.tanh((latitude - high) / 0.8))
    light -= 0.34 / (1 + np.exp((46 - np.abs(latitude)) / 4))
    light -= 0.07 * np.exp(-((latitude / 0.8) ** 2))
    return light


def planet_map(rng: np.random.Generator) -> Image:
    """Cloud tops on (latitude, longitude), 512 x 1024: belts torn by turbulence, ovals, one great spot."""
    shape = (512, 1024)
    row, column = np.indices(shape, dtype=np.float64)
    latitude, longitude = 90 - (row + 0.5) * 180 / 512, column * 360 / 1024
    calm = np.exp(-((latitude / 55) ** 4))
    swirl_y, swirl_x = _clouds(shape, 1.7, rng, 1.6), _clouds(shape, 1.7, rng, 1.6)
    waves = np.sin(np.radians(longitude * 13) + 2 * swirl_x) * np.exp(-(((latitude - 8) / 3) ** 2))
    fray = _clouds(shape, 1.1, rng, 1.6)
    light = _belts(latitude + calm * (1.5 * swirl_y + 0.9 * fray + 1.8 * waves))
    streaks = _clouds(shape, 1.15, rng, 3.0)
    streaks = map_coordinates(streaks, [row + 6 * swirl_y, column + 14 * swirl_x], order=1, mode="grid-wrap")
    belt = np.clip(0.93 - light, 0, 0.45)
    light += streaks * (0.035 + 0.28 * belt) + 0.25 * belt * np.clip(swirl_x - 0.5, 0, 2)
    ovals = [(-22.0, 180 + rng.uniform(-25, 25), 9.0, 5.8, -0.36)]
    ovals += [(-39.0, longitude_0, 2.4, 1.7, 0.16) for longitude_0 in rng.uniform(90, 270, 5)]
    ovals += [(14.0, longitude_0, 2.6, 1.1, -0.22) for longitude_0 in rng.uniform(90, 270, 3)]
    for lat_0, lon_0, width, height, depth in ovals:
        radius = np.hypot((longitude - lon_0) / width, (latitude - lat_0) / height)
        light += (0.93 - light) * np.exp(-(((radius - 1.25) / 0.28) ** 2)) * (0.8 if depth < -0.25 else 0.2)
        light += depth * expit((1 - radius) * 9) * (1 + 0.15 * np.cos(radius * 6))
    return np.clip(light, 0.1, 1.2)


def planet(size: int, rng: np.random.Generator) -> Sky:
    """A Jupiter: oblate banded disc a quarter of the canvas wide, with a moon beside it and its shadow on it."""
    fine, radius, flat = 3, 0.125, 0.935
    y, x = ((np.indices((size * fine, size * fine)) + 0.5) / (size * fine) - 0.5 - 0.5 / size) / radius
    tilt = rng.uniform(-0.3, 0.3)
    across, up = x * np.cos(tilt) + y * np.sin(tilt), (x * np.sin(tilt) - y * np.cos(tilt)) / flat
    square = across**2 + up**2
    mu = np.sqrt(np.clip(1 - square, 0, 1))
    latitude, longitude = np.degrees(np.arcsin(np.clip(up, -1, 1))) - 2, np.degrees(np.arctan2(across, mu)) + 180
    at = [(90 - latitude) / 180 * 512 - 0.5, longitude / 360 * 1024]
    disc = map_coordinates(planet_map(rng), at, order=1, mode="nearest") * mu**0.75 * (square < 1)
    side = rng.choice((-1.0, 1.0))
    spot_up = rng.uniform(0.35, 0.55)
    shadow = np.hypot(across - side * 0.35, (up - spot_up) * flat)
    disc *= expit((shadow - 0.042) * 250)
    moon = np.hypot(across - side * 1.32, (up - spot_up) * flat)
    return _finish(binned(disc + 0.75 * expit((0.04 - moon) * 250), fine))


def _stamp_crater(height: Image, place: tuple[float, float], radius: float, age: float) -> None:
    """Add one crater to the heights (in cells): bowl, or floor and peak where large; rim; ejecta falling as r^-3."""
    reach = int(np.ceil(radius * 2.4)) + 1
    top, left = int(place[0]) - reach, int(place[1]) - reach
    rows = slice(max(top, 0), min(top + 2 * reach, height.shape[0]))
    columns = slice(max(left, 0), min(left + 2 * reach, height.shape[1]))
    y = np.arange(rows.start, rows.stop)[:, None] - place[0]
    x = np.arange(columns.start, columns.stop)[None] - place[1]
    outline = 1 + 0.04 * np.sin(3 * np.arctan2(y, x) + place[0]) + 0.03 * np.sin(7 * np.arctan2(y, x) + place[1])
    r = np.hypot(y, x) / (radius * outline)
    depth = 0.30 * min(1.0, (14 / radius) ** 0.55)
    rim = 0.28 * depth
    inside = np.maximum(-depth + (depth + rim) * r**2.5, -depth * (0.72 if radius > 18 else 1.0))
    if radius > 22:
        inside += 0.35 * depth * np.exp(-((r / 0.13) ** 2))
    outside = rim * np.maximum(r, 1e-3) ** -3 * np.clip((2.4 - r) / 0.8, 0, 1)
    height[rows, columns] += age * radius * np.where(r < 1, inside, outside)


def moon(size: int, rng: np.random.Generator) -> Sky:
    """Craters of all sizes under a low sun, shadows cast, filling the canvas."""
    fine = 2
    n = size * fine
    height = 3.0 * _clouds((n, n), 1.9, rng) + 0.13 * _clouds((n, n), 0.8, rng)
    smallest, largest = 2.2, n / 9
    count = int(0.030 * (n / smallest) ** 2)
    u = rng.uniform(0, 1, count)
    radii = np.sort((smallest**-2 * (1 - u) + largest**-2 * u) ** -0.5)[::-1]
    for radius in radii:
        place, age = (rng.uniform(0, n), rng.uniform(0, n)), rng.uniform(0.0, 1.0) ** 1.5 + 0.1
        _stamp_crater(height, place, float(radius), float(age))
    slope = np.tan(np.radians(np.linspace(27, 13, n)))[None]
    to_sun = np.gradient(height, axis=1)
    lambert = (slope - to_sun) / np.sqrt(1 + to_sun**2 + np.gradient(height, axis=0) ** 2) / np.sqrt(1 + slope**2)
    # Sunlight comes from x = 0: a cell is dark where anything sunwards stands above its line to the sun.
    horizon = height + np.cumsum(np.broadcast_to(slope, height.shape), axis=1)
    above = np.maximum.accumulate(horizon, axis=1)
    lit = gaussian_filter(np.clip(1 - (above - horizon) / 0.35, 0, 1), 0.4)
    albedo = 1 + 0.10 * np.tanh(1.5 * _clouds((n, n), 1.6, rng)) + 0.03 * _clouds((n, n), 0.7, rng)
    light = np.clip(lambert, 0, None) ** 0.8 * lit * albedo
    light = np.rot90(light, int(rng.integers(4)))
    return _finish(np.minimum(binned(light, fine) / float(np.percentile(light, 99.7)), 1.0) * 0.99 + 0.003)


def sun(size: int, rng: np.random.Generator) -> Sky:
    """Granulation filling the canvas: bright warped cells 18 px wide, dark lanes, bright points, a pore."""
    fine, cell = 2, 18.0
    n = size * fine
    per_side = int(np.ceil(size / cell)) + 4
    grid = np.stack(np.meshgrid(*[np.arange(per_side) - 1.5] * 2, indexing="ij"), -1).reshape(-1, 2)
    seeds = (grid + rng.uniform(-0.48, 0.48, grid.shape)) * cell * fine
    seeds = seeds[rng.uniform(0, 1, len(seeds)) > 0.08]
    y, x = np.indices((n, n), dtype=np.float64)
    warp = [(3.2 * _clouds((n, n), 1.45, rng) + 0.5 * _clouds((n, n), 0.9, rng)) * fine for _ in range(2)]
    distance, who = cKDTree(seeds).query(np.stack([y + warp[0], x + warp[1]], -1).reshape(-1, 2), k=2)
    gap = ((distance[:, 1] - distance[:, 0]) / (cell * fine)).reshape(n, n)
    near = (distance[:, 0] / (cell * fine)).reshape(n, n)
    width = 0.26 * np.exp(0.35 * _clouds((n, n), 1.3, rng))
    lanes = (1 - np.exp(-((gap / width) ** 1.3))) * (1 - 0.35 * np.clip(near - 0.35, 0, 1))
    bright = rng.normal(1, 0.08, len(seeds))[who[:, 0]].reshape(n, n)
    light = 0.56 + 0.42 * lanes * bright + 0.05 * np.exp(-(((near - 0.33) / 0.12) ** 2)) * lanes
    light += 0.035 * _clouds((n, n), 1.2, rng) * (0.4 + lanes) + 0.02 * _clouds((n, n), 2.0, rng)
    network = np.clip(_clouds((n, n), 1.8, rng) - 0.7, 0, None)
    points = np.clip(_clouds((n, n), 0.8, rng) - 1.0, 0, 1.5) * (gap < 0.1) * np.minimum(network, 1)
    light += 0.35 * gaussian_filter(points, 0.6 * fine)
    centre = n * rng.uniform(0.4, 0.6, 2)
    from_pore = np.hypot(y - centre[0] + 1.8 * warp[0], x - centre[1] + 1.8 * warp[1]) / (cell * fine)
    light *= 1 - 0.68 * expit((0.75 - from_pore) * 9)
    return _finish(binned(gaussian_filter(light, 0.35 * fine), fine))


def _panel(canvas: Image, at: tuple[float, float], half: tuple[float, float], light: float, angle: float) -> None:
    """Paint one rectangle: centre and half sides (y, x) as fractions of the canvas, turned by `angle` radians."""
    n, reach = canvas.shape[0], float(np.hypot(*half))
    middle = (at[0] * np.cos(angle) + at[1] * np.sin(angle), at[1] * np.cos(angle) - at[0] * np.sin(angle))
    rows, columns = (slice(int((m - reach + 0.5) * n), int((m + reach + 0.5) * n) + 2) for m in middle)
    y = (np.arange(rows.start, rows.stop)[:, None] + 0.5) / n - 0.5
    x = (np.arange(columns.start, columns.stop)[None] + 0.5) / n - 0.5
    across, down = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    inside = (np.abs(down - at[0]) < half[0]) & (np.abs(across - at[1]) < half[1])
    canvas[rows, columns][inside] = light


MODULES = (
    (0.012, 0.0, 0.012, 0.008, 0.8),
    (-0.022, 0.0, 0.02, 0.0065, 0.9),
    (-0.055, 0.0, 0.016, 0.0055, 0.7),
    (-0.028, 0.019, 0.005, 0.013, 0.85),
    (-0.03, -0.021, 0.0055, 0.015, 0.75),
    (0.037, 0.0, 0.012, 0.005, 0.6),
)  # centre and half sides (y, x, y, x) as fractions of the canvas, brightness


def satellite(size: int, rng: np.random.Generator) -> Sky:
    """A space station a third of the canvas wide: truss, eight ribbed wings, radiators, modules, a glint."""
    fine = 4
    image = np.zeros((size * fine, size * fine))
    angle = float(rng.uniform(0, np.pi))
    _panel(image, (0.0, 0.0), (0.0035, 0.165), 0.45, angle)
    for rung in np.arange(-0.16, 0.161, 0.0107):
        _panel(image, (0.0, float(rung)), (0.0022, 0.0022), 0.12, angle)
    for along in (-0.15, -0.105, 0.105, 0.15):
        for side in (-1, 1):
            light = float(rng.uniform(0.38, 0.6))
            for blanket in (-0.0078, 0.0078):
                _panel(image, (side * 0.043, along + blanket), (0.034, 0.0062), light, angle)
            for rib in np.arange(0.014, 0.077, 0.0085):
                _panel(image, (side * float(rib), along), (0.0008, 0.014), 0.6 * light, angle)
            _panel(image, (side * 0.039, along), (0.039, 0.001), 0.8, angle)
    for along in (-0.055, 0.055):
        for rib in (-0.009, 0.0, 0.009):
            _panel(image, (0.026, along + rib), (0.021, 0.0037), float(rng.uniform(0.75, 0.95)), angle)
    for down, along, tall, wide, light in MODULES:
        _panel(image, (down, along), (tall, wide), light, angle)
        _panel(image, (down, along - 0.6 * wide), (tall, 0.3 * wide), 0.6 * light, angle)
    for along in (-0.012, 0.012):
        _panel(image, (-0.06, along), (0.004, 0.007), 0.4, angle)
    _panel(image, (-0.012, 0.004), (0.0025, 0.0025), 1.3, angle)
    return _finish(binned(image, fine))


def _points(size: int, places: Image, light: Image) -> Image:
    """Point sources at (source, 2) y, x in pixels, each shared by its four nearest pixels."""
    image = np.zeros((size, size))
    whole = np.floor(places).astype(int)
    part = places - whole
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1])
            np.add.at(image, ((whole[:, 0] + dy) % size, (whole[:, 1] + dx) % size), weight * light)
    return image


def stars(size: int, rng: np.random.Generator) -> Sky:
    """A close double star (3 .. 8 px) in the middle, a wider companion, and fainter stars around it."""
    middle = size / 2 + rng.uniform(-3, 3, 2)
    turns = rng.uniform(0, 2 * np.pi, 2)
    radii = np.array([rng.uniform(3, 8), rng.uniform(14, 24)])
    around = radii[:, None] * np.stack([np.sin(turns), np.cos(turns)], -1)
    field = size / 2 + rng.uniform(-0.25, 0.25, (8, 2)) * size
    places = np.concatenate([middle[None], middle + around, field])
    light = np.concatenate([[1.0, rng.uniform(0.4, 0.9), 0.25], 0.2 * rng.uniform(0.1, 1, 8) ** 2])
    return _finish(_points(size, places, light))


def galaxy(size: int, rng: np.random.Generator) -> Sky:
    """A tilted spiral: bulge, two dusty arms with knots, foreground stars; far darker than its core in the arms."""
    fine = 2
    n = size * fine
    y, x = ((np.indices((n, n)) + 0.5) / n - 0.5) / 0.11
    angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.6, 0.85)
    across, up = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / squeeze
    r = np.hypot(across, up) + 1e-6
    phase = 2 * np.arctan2(up, across) - 5.5 * np.log(r + 0.08) + 0.5 * _clouds((n, n), 1.6, rng)
    arms = np.exp(2.2 * (np.cos(phase) - 1)) * np.clip(r / 0.25, 0, 1)
    dust = np.exp(6 * (np.cos(phase + 0.9) - 1)) * np.clip(r / 0.15, 0, 1)
    knots = np.exp(0.7 * _clouds((n, n), 0.8, rng))
    light = np.exp(-r / 0.42) * (0.25 + 0.9 * arms * knots) * (1 - 0.6 * dust)
    light += 1.2 * np.exp(-((r / 0.1) ** 0.8))
    image = binned(light, fine)
    places = size / 2 + rng.uniform(-0.27, 0.27, (10, 2)) * size
    return _finish(image + _points(size, places, 1.5 * rng.uniform(0.1, 1, 10) ** 2))


TARGETS: dict[str, Callable[[int, np.random.Generator], Sky]] = {
    "planet": planet,
    "moon": moon,
    "sun": sun,
    "satellite": satellite,
    "stars": stars,
    "galaxy": galaxy,
}
"""name -> draw(canvas width in pixels, random numbers) -> sky (y, x) in 0..1."""
