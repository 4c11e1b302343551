"""One capture, from video to sky: the recipe, read top to bottom."""

from configs.schema import Config
from storage.captures.capture import Capture
from storage.product import CaptureProducts, CaptureResults, Product
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.burst import burst
from tasks.calibrate import calibrate
from tasks.dewarp import dewarp
from tasks.enhance import enhance
from tasks.evaluate import evaluate
from tasks.fill import fill
from tasks.ingest import ingest
from tasks.learning.chosen import chosen_model
from tasks.measure_seeing import measure_seeing
from tasks.running.step import Run
from tasks.shift_average import shift_average
from tasks.solve_psfs import solve_psfs
from tasks.solve_sky import solve_sky


def restore_capture(run: Run, capture: Capture, config: Config) -> CaptureResults:
    """The evaluated sky of one capture, and what is made of it.

    Every line is a step. A step whose product is in the store is not repeated; one that is off passes its input through.
    """
    telescope = config.sky_telescope
    frames = ingest(run, capture, config.ingest)
    mean = average(run, frames, config.average)
    clean = calibrate(run, frames, mean)
    shifts = align(run, clean, config.align)
    stack = shift_average(run, clean, mean, shifts, config.telescope, config.shift_average, config.sky_scale)
    filled = fill(run, frames, clean, mean, stack, config.fill, chosen_model("fill", config.fill.mode))
    dewarped = dewarp(run, clean, stack, filled, config.dewarp, chosen_model("dewarp", config.dewarp.mode))
    movie = burst(run, clean, stack, filled, config.burst, chosen_model("burst", config.burst.mode))
    seeing = measure_seeing(run, clean, mean, stack, telescope)
    inputs, sky = CaptureProducts(clean, mean, stack, seeing), stack
    for number, settings in enumerate(config.rounds, start=1):
        psfs = solve_psfs(run.in_round(number), inputs, sky, telescope, settings.psfs)
        sky = solve_sky(run.in_round(number), inputs, psfs, sky, telescope, settings.sky)
    evaluated = evaluate(run, inputs, sky, telescope, config.evaluate, config.colour)
    model = chosen_model("enhance", config.enhance.mode)
    enhanced = enhance(run, evaluated, inputs, sky, telescope, config.enhance, model)
    return CaptureResults(evaluated, enhanced, movie, dewarped, filled)


def planned_products(store: Store, capture: Capture, config: Config) -> list[Product]:
    """Every product that `restore_capture` would make or use, without making any."""
    plan: list[Product] = []
    restore_capture(Run(store, plan=plan), capture, config)
    return plan
