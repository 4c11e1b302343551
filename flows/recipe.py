"""One capture, from video to sky: the recipe, read top to bottom."""

from configs.schema import Config
from storage.captures.capture import Capture
from storage.product import Product, Scene
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.measure_seeing import seeing
from tasks.running.step import in_round, planned
from tasks.shift_average import shift_average
from tasks.solve_psfs import solve_psfs
from tasks.solve_sky import solve_sky


def restore_capture(store: Store, capture: Capture, config: Config) -> Product:
    """The evaluated sky of one capture. Every line is a step; a step whose product is in the store is not repeated."""
    frames = ingest(store, capture, config.ingest)
    mean = average(store, frames, config.average)
    shifts = align(store, frames, mean, config.align)
    first = shift_average(store, frames, mean, shifts, config.telescope, config.shift_average)
    air = seeing(store, frames, mean, first, config.telescope)
    scene, sky = Scene(frames, mean, first, air), first
    for number, turn in enumerate(config.rounds, start=1):
        with in_round(number):
            psfs = solve_psfs(store, scene, sky, config.telescope, turn.psfs)
            sky = solve_sky(store, scene, psfs, sky, config.telescope, turn.sky)
    return evaluate(store, scene, sky, config.telescope, config.evaluate)


def lineage(store: Store, capture: Capture, config: Config) -> list[Product]:
    """Every product that `restore_capture` would make or use, without making any."""
    with planned() as products:
        restore_capture(store, capture, config)
    return products
