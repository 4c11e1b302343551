"""Scaling: dB and seconds against frames, seconds of one gradient against pixels and frames, share of the transforms.

    python benchmarks/scaling.py FOLDER [--device cuda] [--only gradients|frames] [--frames N ...]

Everything is kept in FOLDER; the numbers are written to scaling.json. On a CPU seconds are processor seconds: with
OMP_NUM_THREADS=1 a busy machine changes them little. On a GPU they are wall seconds.
"""

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from configs.load import load_config
from flows.recipe import planned_products, restore_capture
from storage.captures.capture import capture_at
from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.product import CaptureProducts
from storage.results.export import save_json
from storage.results.truth import beside, psf_file, true_psfs, truth_beside
from storage.store import Store, clock
from tasks.benchmark.benchmark import COMMON, quality
from tasks.benchmark.oracle import known_psfs
from tasks.benchmark.simulate import simulate
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.propagation import CHUNK
from tasks.numerics.optics.pupil import Pupil, pupil_in_air
from tasks.numerics.sky.likelihood import Problem, gradient
from tasks.products.contents import Sky, Stack
from tasks.reporting.report import against
from tasks.running.step import Run
from tasks.solve_sky import solve_sky

FRAMES = (64, 128, 256, 512, 1024, 2048)
SCENE = {**COMMON, "n_subexposures": 3, "d_over_r0": 6.0, "n_frames": FRAMES[-1], "photons_peak": 1000.0, "seed": 3}
SIZES, SIZE, BATCHES, BATCH = (128, 192, 256, 384, 512), 128, (16, 32, 64, 128), 32
MODES = 100
STRENGTH = 6.0  # D/r0: sets the side of the square that holds a PSF
REPEATS = 25
ONE = ("rounds.0.psfs.starts=1",)
"""One start: half the time."""
LUCKIEST = (*ONE, *(f"rounds.{turn}.psfs.frames=64" for turn in (0, 1)))
"""The luckiest 64 only."""
Row = dict[str, Any]


def cut(film: Path, count: int) -> Path:
    """The first frames of a simulated capture as a capture of its own, truth and true PSFs beside it."""
    part = film.parent / f"first{count}.ser"
    if part.exists():
        return part
    files, whole = beside(part), beside(film)
    shutil.copy(whole["truth"], files["truth"])
    shutil.copy(whole["config"], files["config"])
    with true_psfs(whole["psfs"]) as known, psf_file(files["psfs"], count, known.pixel_fill) as journal:
        for start in range(0, count, 32):
            rows = np.arange(start, min(start + 32, count))
            journal.add(known.take(rows), known.pointing[rows])
    with open_capture(film) as reader:
        depth = 12
        frames = (frame[0] for block in reader.blocks(32) for frame in block)
        write_ser(part, (frame for _, frame in zip(range(count), frames, strict=False)), depth)
    return part


def against_frames(folder: Path, device: str, counts: Sequence[int], done: Sequence[Row]) -> Iterator[Row]:
    """One row per number of frames: dB of stack, sky and oracle, seconds, peak memory; then the luckiest 64 of the most.

    Finished rows are not repeated: with a full store they would take no time.
    """
    yield from done
    have = [(row["frames"], row["luckiest"]) for row in done]
    film = folder / "all.ser"
    if not film.exists():
        simulate(film, SCENE, target="planet")
    for count, words in [*((count, ONE) for count in counts), (counts[-1], LUCKIEST)]:
        if (count, words == LUCKIEST) not in have:
            yield restored(Run(Store(folder / "store"), device), cut(film, count), count, words)


def restored(run: Run, film: Path, count: int, words: Sequence[str]) -> Row:
    """Restore, and repeat the last solve_sky with the true PSFs."""
    truth = truth_beside(film)
    assert truth is not None
    store, capture = run.store, capture_at(film)
    config = load_config(beside(film)["config"], overrides=words)
    wall, before = clock(), time.process_time()
    restore_capture(run, capture, config)
    seconds, spent = wall(), time.process_time() - before
    made = {product.step: product for product in planned_products(store, capture, config)}
    inputs = CaptureProducts(*(made[step] for step in ("calibrate", "average", "shift_average", "measure_seeing")))
    known = known_psfs(run, inputs, capture_at(beside(film)["psfs"]), config.sky_telescope)
    settings = config.rounds[-1].sky.model_copy(update={"air_share": 0.0})
    oracle = solve_sky(run, inputs, known, inputs.stack, config.sky_telescope, settings)
    with store.view(Stack, inputs.stack) as first:
        stack, lucky = (against(truth, picture[:])["psnr_db"] for picture in (first.stack, first.lucky_stack))
    with store.view(Sky, made["solve_sky"]) as sky:
        used = len(np.unique(sky.frames[:]))
    row: Row = {"frames": count, "solved": used, "luckiest": words == LUCKIEST, "stack": stack, "lucky": lucky}
    row |= {
        "sky": quality(store, made["solve_sky"], truth),
        "oracle": quality(store, oracle, truth),
        "seconds": spent,
        "wall": seconds,
        "load": os.getloadavg()[0],
    }
    return row | {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def problem(size: int, frames: int, device: str) -> tuple[Problem, torch.Tensor]:
    """A batch of the given size; its content does not change the time."""
    dice = torch.Generator().manual_seed(0)
    pupil = pupil_in_air(size, Aperture(size / 2, 0.33), MODES, STRENGTH).to(device)
    light = torch.rand(frames, size, size, generator=dice)
    phases = 0.3 * torch.randn(frames, MODES, generator=dice)
    return Problem(pupil, torch.fft.rfft2(light.to(device))), phases.to(device)


def bare(pupil: Pupil, frames: int) -> Callable[[], None]:
    """The transforms of one gradient and nothing else: the same shapes, the same chunks, along the last axis."""
    grid, size, box, device = pupil.grid, pupil.size, pupil.box, pupil.modes.device

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(CHUNK, *shape, dtype=torch.complex64, device=device)

    columns, rows, half, force = (
        random(box, grid),
        random(grid, grid),
        random(size // 2 + 1, size),
        random(grid, size // 2 + 1),
    )
    image = torch.rand(CHUNK, grid, size, device=device)

    def run() -> None:
        for _ in range(0, frames, CHUNK):
            for values in (columns, rows, half):
                torch.fft.fft(values)
                torch.fft.ifft(values)
            torch.fft.rfft(image)
            torch.fft.irfft(force, n=size)

    return run


def seconds_of(run: Callable[[], Any], device: str) -> float:
    """Least seconds of a call: other work on the machine only adds to them."""

    def now() -> float:
        if device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    run()
    times = []
    for _ in range(REPEATS):
        begun = now()
        run()
        times.append(now() - begun)
    return min(times)


def gradient_cost(size: int, frames: int, device: str) -> Row:
    """Seconds of one gradient and of its bare transforms, and the memory that it holds."""
    asked, phases = problem(size, frames, device)
    noise, floor = torch.tensor(1.0, device=device), torch.full((size, size // 2 + 1), 1.0, device=device)
    whole = seconds_of(lambda: gradient(asked, phases, noise, floor), device)
    transforms = seconds_of(bare(asked.pupil, frames), device)
    row = {"size": size, "frames": frames, "seconds": whole, "fft": transforms, "share": transforms / whole}
    return row | {
        "frame_steps_per_s": frames / whole,
        "bound_per_s": frames / transforms,
        "grid": asked.pupil.grid,
        "mib": _held(frames, size, asked.pupil.grid),
    }


def _held(frames: int, size: int, grid: int) -> float:
    """MiB that a gradient keeps between its two passes: amplitudes, transfer functions and spectra of the frames."""
    half = size * (size // 2 + 1)
    return frames * 8 * (grid * grid + 2 * half) / 2**20


def operators(size: int, frames: int) -> dict[str, float]:
    """Share of a gradient's time by kind of operation, by torch's profiler on the CPU."""
    asked, phases = problem(size, frames, "cpu")
    noise, floor = torch.tensor(1.0), torch.full((size, size // 2 + 1), 1.0)
    gradient(asked, phases, noise, floor)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        for _ in range(REPEATS):
            gradient(asked, phases, noise, floor)
    events = [(event.key, event.self_cpu_time_total) for event in seen.key_averages()]
    total = sum(spent for _, spent in events)
    largest = sorted(events, key=lambda event: -event[1])[:12]
    return {name: spent / total for name, spent in largest}


def main() -> None:
    """Measure, print and save."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    asked.add_argument("--only", choices=["gradients", "frames"])
    asked.add_argument("--frames", type=int, nargs="+", default=list(FRAMES))
    words = asked.parse_args()
    words.folder.mkdir(parents=True, exist_ok=True)
    file = words.folder / "scaling.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def keep(name: str, rows: Iterator[Row]) -> None:
        found[name] = []
        for row in rows:
            found[name].append(row)
            print(name, json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)
            save_json(file, found)

    if words.only != "frames":
        keep(f"pixels_{words.device}", (gradient_cost(size, BATCH, words.device) for size in SIZES))
        keep(f"batch_{words.device}", (gradient_cost(SIZE, frames, words.device) for frames in BATCHES))
        if words.device == "cpu":
            keep("operators", iter([operators(SIZE, BATCH), operators(256, BATCH)]))
    if words.only != "gradients":
        name = f"frames_{words.device}"
        keep(name, against_frames(words.folder, words.device, words.frames, found.get(name, [])))


if __name__ == "__main__":
    main()
