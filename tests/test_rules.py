"""Every learning rule against the gradient that theory says it follows."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chips_for_tests import SealedChip
from gradients_for_tests import (
    KEY,
    SETTLE,
    cosine,
    implicit_gradient,
    of_cost,
    of_held_outputs,
    problem,
)
from madem import training
from madem._checks import InputError
from madem.chips import Mapping, fabricate, load_chip
from madem.learning import (
    AbstractRule,
    Centred,
    ContrastiveHebbian,
    CoupledLearning,
    ManyPoint,
    ModelBackprop,
    OneSided,
)
from madem.networks import AssociativeMemory, Clamp, CrossEntropy, LayeredHopfield, SquaredError
from madem.relaxation import Sweeps
from madem.studies.braille import BrailleStudy
from madem.studies.braille_config import BrailleConfig
from madem.studies.recall import measure_recall

LAYERED = LayeredHopfield(sizes=(12, 10, 12), mapping=Mapping(0.5))
ASSOCIATIVE = AssociativeMemory(visible=12, hidden=10, mapping=Mapping(0.5))
NETWORKS = {"layered": LAYERED, "associative": ASSOCIATIVE}
LOSSES = {"squared error": SquaredError(), "cross-entropy": CrossEntropy()}
EXACT = Sweeps(3000, 1e-14)
"""To what float64 holds."""


@dataclass(frozen=True)
class Row:
    """A rule and what theory says of it."""

    make: Callable[..., AbstractRule]
    """The rule, from a strength β or η, `free`, `nudged` and `loss`."""
    strength: float = 0.3
    """For learning."""
    order: int | None = None
    """Order in the strength of its error; none if it has no strength."""
    follows_cost: bool = True
    """Whether it follows ∂C/∂W, or else the stiffness-weighted pull of `of_held_outputs`."""
    cosine: float = 0.999
    """With ∂C/∂W at small strength and moderate weights, at least."""


# One row a rule: it inherits every test of this table.
RULES = {
    "one-sided, towards": Row(OneSided, order=1, cosine=0.995),
    "one-sided, away": Row(
        lambda beta, **rest: OneSided(beta=-beta, **rest), order=1, cosine=0.995
    ),
    "centred": Row(Centred, order=2),
    "4-point": Row(ManyPoint, order=4, strength=0.5),
    "contrastive Hebbian": Row(
        lambda _, **rest: ContrastiveHebbian(**rest), follows_cost=False, cosine=0.6
    ),
    "coupled learning": Row(CoupledLearning, order=1, follows_cost=False, cosine=0.9),
    "backpropagation": Row(lambda _, free, nudged, loss: ModelBackprop(free=free, loss=loss)),
}


@pytest.fixture(params=RULES.values(), ids=list(RULES))
def row(request):
    return request.param


def lesson(rule, network, chip, batch):
    truth = chip.inside[0] if isinstance(chip, SealedChip) else chip
    believed = truth.weights() / network.mapping.siemens(chip)
    return rule(network, chip, batch.inputs, batch.targets, KEY, weights=believed)


@pytest.mark.parametrize(
    ("network", "loss"),
    [("layered", "cross-entropy"), ("associative", "squared error")],
)
@pytest.mark.parametrize(
    ("name", "order"), [(name, row.order) for name, row in RULES.items() if row.order]
)
def test_the_error_falls_at_the_rate_of_theory(name, order, network, loss):
    # In float64: in float32 rounding hides all beyond the second order.
    row = RULES[name]
    network, loss = NETWORKS[network], LOSSES[loss]
    strengths = np.array([0.01, 0.02, 0.04])
    with jax.enable_x64(True):
        chip, batch = problem(network, 0.15)
        pull = of_cost(loss) if row.follows_cost else of_held_outputs
        exact = implicit_gradient(network, chip, batch, pull, EXACT)

        def error(strength):
            rule = row.make(float(strength), free=EXACT, nudged=EXACT, loss=loss)
            found = lesson(rule, network, chip, batch).gradient
            return float(jnp.linalg.norm(found - exact) / jnp.linalg.norm(exact))

        errors = [error(strength) for strength in strengths]
    slope = np.polyfit(np.log(strengths), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.15 * order)
    assert errors[0] < 0.05


@pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
@pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
def test_every_rule_points_along_the_gradient(row, network, loss):
    chip, batch = problem(network, 0.15)
    pairs = np.asarray(network.pairs(chip.limits))
    exact = implicit_gradient(network, chip, batch, of_cost(loss))
    rule = row.make(0.03, free=SETTLE, nudged=SETTLE, loss=loss)
    learned = lesson(rule, network, chip, batch)
    assert cosine(learned.gradient, exact) >= row.cosine
    assert (np.asarray(learned.gradient)[~pairs] == 0).all()
    np.testing.assert_allclose(
        learned.cost, loss.cost(network.activation, learned.output, batch.targets)
    )
    assert learned.free.converged.all()


@pytest.mark.parametrize("name", ["contrastive Hebbian", "coupled learning"])
def test_clamping_follows_the_cross_entropy_where_no_feedback_reaches_the_outputs(name):
    # Without hidden layers, and to float32, whatever the share η.
    network = LayeredHopfield(sizes=(12, 12), mapping=Mapping(0.5))
    chip, batch = problem(network, 0.15)
    exact = implicit_gradient(network, chip, batch, of_cost(CrossEntropy()))
    rule = RULES[name].make(0.3, free=SETTLE, nudged=SETTLE, loss=CrossEntropy())
    found = lesson(rule, network, chip, batch).gradient
    np.testing.assert_allclose(found, exact, atol=2e-5 * float(jnp.abs(exact).max()))


@pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
def test_contrastive_hebbian_descends_the_energy_that_clamping_costs(network):
    # By finite differences along a random direction: the exact gradient of that energy.
    with jax.enable_x64(True):
        chip, batch = problem(network, 0.15)
        rule = ContrastiveHebbian(free=EXACT, nudged=EXACT)
        found = lesson(rule, network, chip, batch).gradient
        pairs = network.pairs(chip.limits)
        direction = jnp.where(pairs, jax.random.normal(jax.random.key(5), pairs.shape), 0.0)

        def rise(step):
            siemens = network.mapping.siemens(chip)
            conductance = chip.conductance.at[..., 0].add(step * siemens * direction)
            shifted = eqx.tree_at(lambda c: c.conductance, chip, conductance)
            drive = network.drive(shifted, batch.inputs, KEY)
            state = network.rest(len(batch.inputs))
            energies = []
            for nudge in (None, Clamp(batch.targets)):
                state = EXACT(network, shifted, state, drive, nudge, KEY).require()
                energies.append(network.energy(shifted, state, drive, nudge, KEY))
            return float(jnp.mean(energies[1] - energies[0]))

        expected = (rise(1e-5) - rise(-1e-5)) / 2e-5
        assert rise(0.0) > 0
        assert float(jnp.sum(found * direction)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("points", [2, 4, 6, 8])
def test_many_points_are_exact_for_polynomials_of_their_order(points):
    rule = ManyPoint(beta=0.4, free=Sweeps(1), nudged=Sweeps(1), points=points)
    nudges = rule.nudges(jnp.zeros((1, 1)), jnp.zeros((1, 1)))
    betas = np.array([float(nudge.beta[0, 0]) for nudge in nudges], np.float64)
    weights = -np.array(rule.contrast.nudged) / rule.contrast.scale
    for power in range(points + 1):
        assert weights @ betas**power == pytest.approx(float(power == 1), abs=1e-6)
    assert np.abs(betas).max() == pytest.approx(0.4)


def test_special_cases_are_the_rules_that_they_name():
    chip, batch = problem(LAYERED, 0.15)
    both = {"free": SETTLE, "nudged": SETTLE, "loss": CrossEntropy()}
    for special, general in (
        (Centred(beta=0.2, **both), ManyPoint(beta=0.2, points=2, **both)),
        (ContrastiveHebbian(**both), CoupledLearning(eta=1.0, **both)),
    ):
        np.testing.assert_allclose(
            lesson(special, LAYERED, chip, batch).gradient,
            lesson(general, LAYERED, chip, batch).gradient,
            atol=1e-6,
        )


@pytest.fixture(scope="module")
def real():
    return fabricate(load_chip("taox-64"), KEY)


def test_no_rule_needs_more_than_the_chips_interface(row, real):
    _, batch = problem(LAYERED)
    sweeps = Sweeps(8, 1e-3, average=3)
    rule = row.make(row.strength, free=sweeps, nudged=sweeps, loss=SquaredError())
    plain = lesson(rule, LAYERED, real, batch)
    sealed = lesson(rule, LAYERED, SealedChip(real), batch)
    np.testing.assert_allclose(sealed.gradient, plain.gradient, rtol=1e-4, atol=1e-6)
    assert jnp.isfinite(plain.gradient).all()


@pytest.mark.slow
def test_every_rule_learns_three_words(row):
    config = BrailleConfig(
        words=("ada", "bob", "eve"), hidden=(30,), steps=300, batch=64, flip=0.15
    )
    study = BrailleStudy(config, load_chip("ideal"))
    sweeps = Sweeps(10, 1e-3, average=3)
    rule = row.make(row.strength, free=sweeps, nudged=sweeps, loss=SquaredError())
    learner = eqx.tree_at(lambda learner: learner.rule, study.learner, rule)
    state, _ = study.begin()
    state, _ = training.train(learner, state, study.batches, jnp.int32(300), KEY, most=300)
    scores = measure_recall(study.recall, state.chip, study.dots, 2000, KEY, flips=[0.05])
    assert scores.ml_limit[0] - scores.exact[0] < 0.02


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda **rest: OneSided(beta=0.0, **rest),
            "OneSided: beta is 0.0; give a strength of 0 < |β|",
        ),
        (
            lambda **rest: Centred(beta=-0.3, **rest),
            "Centred: beta is -0.3; give a strength of 0 < β",
        ),
        (lambda **rest: ManyPoint(beta=1.5, **rest), "ManyPoint: beta is 1.5"),
        (
            lambda **rest: ManyPoint(beta=0.3, points=3, **rest),
            "ManyPoint: points is 3; give 2, 4, 6",
        ),
        (
            lambda **rest: CoupledLearning(eta=1.1, **rest),
            "CoupledLearning: eta is 1.1; give a share",
        ),
    ],
)
def test_settings_without_meaning_are_refused(make, problem):
    with pytest.raises(InputError) as caught:
        make(free=Sweeps(1), nudged=Sweeps(1))
    assert problem in str(caught.value)
