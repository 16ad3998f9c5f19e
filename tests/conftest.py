"""Strict numerics for every test, and the settings of Hypothesis."""

import hypothesis
import jax

jax.config.update("jax_numpy_dtype_promotion", "strict")

hypothesis.settings.register_profile("madem", deadline=None, derandomize=True)
hypothesis.settings.load_profile("madem")
