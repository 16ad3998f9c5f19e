"""Who measures: this process, local processes, or a Dask cluster."""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any

from madem._checks import InputError, MademError
from madem.studies.sweep.batches import PointBatch, Result, failed, measure

_ONE_THREAD = {
    "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false",
    "NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Local workers calculate on one core each: XLA's own threads would take those of the others."""


_PATIENCE = "10s"
"""How long a scheduler may take to answer."""


def measured_here(batches: Sequence[PointBatch]) -> Iterator[list[Result]]:
    """Measure batches one by one, in this process."""
    return map(measure, batches)


def measured_locally(batches: Sequence[PointBatch], workers: int) -> Iterator[list[Result]]:
    """Measure batches in so many processes of this computer, one thread each."""
    distributed = _distributed()

    class LeftToClient(distributed.WorkerPlugin):
        """Ctrl-C in a terminal reaches workers too; it is the client that stops them."""

        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    with (
        distributed.LocalCluster(
            n_workers=min(workers, max(len(batches), 1)),
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            silence_logs="CRITICAL",
            env=_ONE_THREAD,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(LeftToClient())
        yield from _measured_by(client, batches)


def measured_at(batches: Sequence[PointBatch], scheduler: str) -> Iterator[list[Result]]:
    """Measure batches on the cluster of a Dask scheduler, which may gain and lose workers.

    Raises `InputError` if there is no scheduler, `MademError` once it is gone.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler!r} ({error}); start one with `dask scheduler`"
            ", and give its address, such as tcp://localhost:8786"
        ) from error
    with client:
        yield from _measured_by(client, batches)


def _measured_by(client: Any, batches: Sequence[PointBatch]) -> Iterator[list[Result]]:
    """Results as they come. Batches of a worker that died go to another one, three times."""
    distributed = _distributed()
    futures = {client.submit(measure, batch, pure=False): batch for batch in batches}
    waiting = distributed.as_completed(futures)
    try:
        for future in waiting:
            batch = futures.pop(future)
            try:
                results = future.result()
            except distributed.KilledWorker as error:
                results = failed(batch, f"its worker died, several times over: {error}")
            yield results
    except (distributed.comm.CommClosedError, distributed.CancelledError, OSError) as error:
        raise MademError(
            f"the Dask scheduler is gone ({error}); what was stored is kept, and the same command "
            "goes on"
        ) from error
    except ImportError as error:
        raise MademError(f"a worker lacks something: {error}; install madem there") from error
    finally:
        with contextlib.suppress(Exception):  # it may be the scheduler that is gone
            client.cancel(list(futures))


def _distributed() -> Any:
    """Dask's package, which is asked for late: it takes a second."""
    try:
        import distributed  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            "workers and schedulers need Dask: pip install 'madem[sweep]', or leave them out"
        ) from error
    return distributed
