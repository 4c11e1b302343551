"""Simulated captures: their frames are the truth through the PSFs they come with, and a camera."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from tasks.numerics.simulator.observe import Block, canvas_px, observe, simulate, truth
from tasks.numerics.simulator.psfs import air_psfs, clean_psfs, perfect_psf
from tasks.numerics.simulator.scene import SimulatedScene

SCENE = SimulatedScene(n_frames=6, size_px=48, psf_px=64, d_over_r0=3.0, bits=16, seed=4)
QUIET = replace(SCENE, read_noise_e=0.0, photons_peak=1e8, jitter_px=0.0)


def _sky(scene: SimulatedScene) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((canvas_px(scene),) * 2).astype(np.float32)


def _whole(scene: SimulatedScene, canvas: NDArray[np.float32] | None = None, block: int = 32) -> Block:
    blocks = list(simulate(_sky(scene) if canvas is None else canvas, scene, block=block))
    names = ("frames", "psfs", "shifts", "transparency", "times_s")
    return Block(*[np.concatenate([getattr(b, name) for b in blocks]) for name in names])


def _electrons(block: Block, scene: SimulatedScene) -> NDArray[np.float64]:
    gain = (scene.photons_peak + scene.background_e) / (scene.full_scale * (2**scene.bits - 1) - scene.offset_adu)
    electrons: NDArray[np.float64] = (block.frames.astype(np.float64) - scene.offset_adu) * gain
    return electrons


def test_perfect_psf_is_centred_band_limited_and_non_negative() -> None:
    psf = perfect_psf(SCENE)
    assert psf.sum() == pytest.approx(1.0, abs=1e-4)
    assert psf[32, 32] == psf.max()
    assert psf.min() > -1e-7
    f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    assert np.abs(np.fft.fft2(psf))[f > 0.55].max() < 1e-3
    # A pupil half as wide blurs twice as far.
    small = perfect_psf(replace(SCENE, aperture_cells=16.0))
    assert small.max() == pytest.approx(psf.max() / 4, rel=0.2)


def test_stronger_seeing_makes_worse_psfs_and_all_sum_to_one() -> None:
    peaks = []
    for strength in (0.0, 2.0, 6.0):
        psfs = np.stack(list(air_psfs(replace(SCENE, d_over_r0=strength, n_frames=12))))
        assert psfs.sum(axis=(1, 2)) == pytest.approx(1.0, abs=1e-3)
        peaks.append(psfs.max(axis=(1, 2)).mean() / perfect_psf(SCENE).max())
    assert peaks[0] == pytest.approx(1.0)
    assert 1.0 > peaks[1] > 1.5 * peaks[2] > 0.0


def test_short_exposures_follow_the_theory_without_tilt() -> None:
    # Weak air: Strehl about exp(-variance), without tilt 0.134 (D/r0)^(5/3) rad^2 (Noll 1976); peaks ignore tilt.
    scene = replace(SCENE, d_over_r0=1.5, n_frames=120, fps=5.0, exposure_s=0.0, n_subexposures=1, pixel_fill=0.0)

    def peak(psf: NDArray[np.float32]) -> float:
        # Between pixels too: at Nyquist sampling the brightest pixel alone misses up to a third of a peak.
        spectrum = np.pad(np.fft.fftshift(np.fft.fft2(psf)), 96)
        return float(np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))).max())

    strehl = np.mean([peak(psf) for psf in air_psfs(scene)]) / peak(perfect_psf(scene))
    assert strehl == pytest.approx(np.exp(-0.134 * 1.5 ** (5 / 3)), abs=0.03)


def test_psfs_are_correlated_from_frame_to_frame_only_when_frames_are_fast() -> None:
    def alike(fps: float) -> float:
        psfs = np.stack(list(air_psfs(replace(SCENE, fps=fps, n_frames=10)))).reshape(10, -1)
        return float(np.mean([np.corrcoef(psfs[k], psfs[k + 1])[0, 1] for k in range(9)]))

    assert alike(2000.0) > 0.95 > 0.8 > alike(10.0)


def test_noiseless_frames_are_the_sky_through_their_psfs() -> None:
    canvas, block = _sky(QUIET), _whole(QUIET)
    ideal = truth(canvas, QUIET)
    per_unit = ideal.sharp.max() / canvas[(len(canvas) - 48) // 2 :, (len(canvas) - 48) // 2 :][:48, :48].max()
    for k in (0, 5):
        # The PSF sits on [32, 32] of 64, so a full convolution is late by 32.
        full = fftconvolve(canvas.astype(np.float64), block.psfs[k])
        start = (len(canvas) - 48) // 2 + 32
        expected = full[start : start + 48, start : start + 48] * per_unit
        assert _electrons(block, QUIET)[k] == pytest.approx(expected, rel=2e-3)


def test_shifts_displace_the_scene_by_plus_dy_dx() -> None:
    scene = replace(QUIET, d_over_r0=0.0, drift_px=(6.0, -4.0), n_frames=3)
    canvas = np.zeros((canvas_px(scene),) * 2, dtype=np.float32)
    canvas[len(canvas) // 2, len(canvas) // 2] = 1.0
    block = _whole(scene, canvas)
    assert block.shifts == pytest.approx(np.array([(-3, 2), (0, 0), (3, -2)]))
    peaks = [np.unravel_index(frame.argmax(), frame.shape) for frame in block.frames]
    assert np.array(peaks) == pytest.approx(24 + block.shifts)


def test_same_seed_same_capture_whatever_the_block() -> None:
    one, other = _whole(SCENE, block=4), _whole(SCENE, block=32)
    assert np.array_equal(one.frames, other.frames)
    assert len(one.frames) == 6
    assert not np.array_equal(one.frames, _whole(replace(SCENE, seed=5)).frames)
    # The camera does not disturb the air.
    assert np.array_equal(one.psfs, _whole(replace(SCENE, read_noise_e=9.0)).psfs)


def test_noise_is_that_of_photons_and_readout() -> None:
    scene = replace(SCENE, d_over_r0=0.0, jitter_px=0.0, n_frames=60, photons_peak=400.0, read_noise_e=5.0)
    scene = replace(scene, background_e=100.0)
    electrons = _electrons(_whole(scene, np.ones((canvas_px(scene),) * 2, dtype=np.float32)), scene)
    assert electrons.mean() == pytest.approx(500.0, rel=0.01)
    assert electrons.var() == pytest.approx(500.0 + 25.0, rel=0.03)


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_converter_clips_at_its_bits(bits: int, dtype: type) -> None:
    frames = _whole(replace(SCENE, bits=bits, gain_e_per_adu=0.01)).frames
    assert frames.dtype == dtype
    assert frames.max() == 2**bits - 1
    calm = _whole(replace(SCENE, bits=bits)).frames
    assert 0.3 < calm.max() / (2**bits - 1) < 1.0


def test_clouds_dim_the_light_by_the_transparency() -> None:
    scene = replace(QUIET, d_over_r0=0.0, clouds=0.3, n_frames=40)
    block = _whole(scene)
    assert block.transparency.max() == pytest.approx(1.0)
    assert block.transparency.min() < 0.75
    light = _electrons(block, scene).mean(axis=(1, 2))
    assert light / light.max() == pytest.approx(block.transparency, rel=0.01)


def test_truth_peaks_at_the_photons_asked_for() -> None:
    ideal = truth(_sky(SCENE), SCENE)
    assert ideal.diffraction.shape == ideal.sharp.shape == (48, 48)
    assert ideal.diffraction.max() == pytest.approx(SCENE.photons_peak)
    assert ideal.sharp.std() > 2 * ideal.diffraction.std()


def test_camera_psfs_are_cleaned_and_used() -> None:
    rng = np.random.default_rng(0)
    seen = np.stack(list(air_psfs(replace(SCENE, n_frames=3, d_over_r0=1.5))))
    raw = 50000 * np.roll(seen, (5, -7), axis=(1, 2)) + 200 + rng.normal(0, 2, seen.shape)
    cleaned = clean_psfs(raw.astype(np.float32))
    assert cleaned.sum(axis=(1, 2)) == pytest.approx(1.0, abs=1e-5)
    assert cleaned.min() >= 0
    for k in range(3):
        centre = [(cleaned[k].sum(axis=1 - a) * np.arange(64)).sum() for a in (0, 1)]
        assert centre == pytest.approx([32, 32], abs=0.51)
    blocks = list(simulate(_sky(SCENE), SCENE, psfs=raw.astype(np.float32), block=2))
    assert [len(b.frames) for b in blocks] == [2, 1]
    assert np.array_equal(np.concatenate([b.psfs for b in blocks]), cleaned)


def test_an_iterator_of_psfs_may_end_early_or_go_on() -> None:
    still = perfect_psf(SCENE)
    for length, frames in ((3, 3), (9, 6)):
        blocks = list(observe(_sky(SCENE), iter([still] * length), SCENE, block=2))
        assert sum(len(b.frames) for b in blocks) == frames


def test_unusable_input_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        clean_psfs(np.full((1, 32, 32), 7.0, dtype=np.float32))
    with pytest.raises(ValueError, match="wrap around"):
        next(simulate(np.ones((64, 64), dtype=np.float32), SCENE))
    with pytest.raises(ValueError, match="must be square"):
        truth(np.ones((200, 180), dtype=np.float32), SCENE)
    with pytest.raises(ValueError, match="dark"):
        next(observe(np.zeros((canvas_px(SCENE),) * 2, dtype=np.float32), [perfect_psf(SCENE)], SCENE))
