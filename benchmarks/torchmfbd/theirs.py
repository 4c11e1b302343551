"""One solve by torchmfbd, run by the Python of its own environment: theirs.py REQUEST.json; the answer is written beside it."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def config(telescope: dict, size: int, told: dict) -> dict:
    """torchmfbd's own settings, centimetres, arc seconds and Angstroem; `told["sections"]` is laid on them."""
    given = {
        "telescope": {
            "diameter": 100 * telescope["aperture_m"],
            "central_obscuration": 100 * telescope["aperture_m"] * telescope["obstruction"],
            "spider": 0,
        },
        "images": {
            "n_pixel": size,
            "pix_size": telescope["pixel_scale_arcsec"],
            "apodization_border": told["apodization_px"],
            "remove_gradient_apodization": False,
        },
        "object1": {"wavelength": 10 * telescope["wavelength_nm"]},
        "optimization": {"gpu": -1, "transform": "none", "softplus_scale": 1.0, "lr_obj": 0.02},
        "regularization": {"iuwt1": {"variable": "object", "lambda": 0.0, "nbands": 5}},
        "psf": {"model": "kl", "nmax_modes": told["modes"]},
        "initialization": {"object": "contrast", "modes_std": 0.0},
    }
    for name, section in told["sections"].items():
        given.setdefault(name, {}).update(section)
    return given


def main() -> None:
    """Read frames (frame, y, x), deconvolve, save the objects and the seconds."""
    request = json.loads(Path(sys.argv[1]).read_text())
    frames = np.load(request["frames"]).astype(np.float32)
    os.chdir(request["folder"])  # it keeps its basis functions in ./basis
    import torch
    import torchmfbd

    torch.set_num_threads(request["threads"])
    torch.manual_seed(0)
    solver = torchmfbd.Deconvolution(config(request["telescope"], frames.shape[-1], request["told"]))
    solver.add_frames(torch.from_numpy(frames[None]), id_object=0, id_diversity=0, diversity=0.0)
    begun = time.process_time()
    solver.deconvolve(infer_object=False, optimizer="adam", simultaneous_sequences=1, n_iterations=request["steps"])
    cpu = time.process_time() - begun
    pictures = {"deconvolved": solver.obj[0][0], "through telescope": solver.obj_diffraction[0][0]}
    np.savez(request["answer"], **{name: picture.cpu().numpy() for name, picture in pictures.items()})
    Path(request["answer"]).with_suffix(".json").write_text(
        json.dumps({"solve_s": solver.total_time_convergence, "solve_cpu_s": cpu})
    )


if __name__ == "__main__":
    main()
