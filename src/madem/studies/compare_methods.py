"""The ways of training that a comparison compares, each set up for a task and a kind of chip."""

import math
from collections.abc import Callable

from madem.chips import ChipDescription
from madem.learning import Centred, ModelBackprop, Variation
from madem.studies.braille_config import PROGRAMMERS
from madem.studies.methods import AbstractMethod, Digital, ExSitu, OnChip
from madem.studies.tasks import Settings

MakeMethod = Callable[[Settings, int, ChipDescription], AbstractMethod]
"""From a task's settings, the number of steps and the chip's data sheet to a method."""


def _differences(settings: Settings) -> Centred:
    return Centred(
        beta=settings.beta, free=settings.free, nudged=settings.nudged, loss=settings.loss
    )


def _backprop(settings: Settings) -> ModelBackprop:
    return ModelBackprop(free=settings.free, loss=settings.loss)


def _madem(programming: str) -> MakeMethod:
    def make(settings: Settings, steps: int, _chip: ChipDescription) -> OnChip:
        return OnChip(
            _differences(settings),
            settings.optimiser(settings.rate, steps),
            PROGRAMMERS[programming],
            settings.first_weights,
        )

    return make


def _in_situ_backprop(settings: Settings, steps: int, _chip: ChipDescription) -> OnChip:
    return OnChip(
        _backprop(settings),
        settings.optimiser(settings.in_situ_backprop_rate, steps),
        PROGRAMMERS["one-pulse"],
        settings.first_weights,
    )


def _digital(
    variation: Callable[[ChipDescription], Variation] = lambda _chip: Variation(),
    feedback: float = 1.0,
) -> Callable[[Settings, int, ChipDescription], Digital]:
    def make(settings: Settings, steps: int, chip: ChipDescription) -> Digital:
        return Digital(
            _backprop(settings),
            settings.optimiser(settings.rate, steps),
            settings.first_weights,
            variation(chip),
            feedback,
        )

    return make


def _ex_situ(digital: Callable[[Settings, int, ChipDescription], Digital]) -> MakeMethod:
    def make(settings: Settings, steps: int, chip: ChipDescription) -> ExSitu:
        return ExSitu(digital(settings, steps, chip))

    return make


def _stated_spreads(chip: ChipDescription) -> Variation:
    """How chips of a kind differ, by their description; of stuck devices it says nothing."""
    return Variation(
        weights=math.sqrt(2) * chip.device.programming_error,  # two devices a pair
        gain=chip.neurons.gain_spread,
        offset=chip.neurons.offset_spread / (chip.limits.g_range * chip.limits.v_read),
    )


METHODS: dict[str, MakeMethod] = {
    "madem": _madem("one-pulse"),
    "madem-open-loop": _madem("open-loop"),
    "in-situ-backprop": _in_situ_backprop,
    "ex-situ": _ex_situ(_digital()),
    "noise-aware": _ex_situ(_digital(_stated_spreads)),
    "digital": _digital(),
    "perceptron": _digital(feedback=0.0),
}
"""Methods by name: activity differences on the chip, with and without readings; backpropagation
on the chip; weights trained on a digital twin, plainly and with the chips' stated spreads, and
written; and the twin itself, with feedback from layer to layer and without: the ceilings."""
