"""Strict numerics for every test, and the settings of Hypothesis."""

import gc
import os
import shutil
import signal
import tempfile

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
# Most of the tests' time is compilation.
jax.config.update("jax_disable_most_optimizations", True)

# XLA's older emitters of loops compile two to three times as fast; processes that tests start have
# them too. Users' programs are compiled by the newer ones.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false"

# Commands that tests run as users do share what they compile. The tests themselves gain nothing:
# most of what they compile is compiled once, and writing it to disk takes time.
_CACHE = "JAX_COMPILATION_CACHE_DIR"
_OWN_CACHE = None if _CACHE in os.environ else tempfile.mkdtemp(prefix="madem-compiled-")
os.environ.setdefault(_CACHE, str(_OWN_CACHE))  # workers inherit it
jax.config.update("jax_enable_compilation_cache", False)

hypothesis.settings.register_profile("madem", deadline=None, derandomize=True)
hypothesis.settings.load_profile("madem")

# Begun in the background, a process ignores Ctrl-C, and so would those that tests start and stop.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure():
    """Delete what was compiled, once all workers are done."""
    if _OWN_CACHE is not None:
        shutil.rmtree(_OWN_CACHE, ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def forget_compiled():
    """Each compiled function maps memory; a worker that kept all would pass the kernel's limit."""
    yield
    jax.clear_caches()
    gc.collect()


@pytest.fixture(autouse=True)
def optimise_what_is_slow(request):
    """Where a whole network is trained, running takes longer than compiling."""
    if request.node.get_closest_marker("slow") is None:
        yield
        return
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, headless."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (few tests need it)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()
