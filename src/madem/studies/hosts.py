"""Several computers that train one network: each takes its share of every batch."""

import contextlib
import os
import re
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils

from madem._checks import InputError, MademError

_PATIENCE = 60
"""Longest wait for the others to come, seconds."""


class HostsError(MademError):
    """The other hosts did not come."""


def join_hosts(coordinator: str | None, hosts: int, host: int) -> None:
    """Join `hosts` processes, of which this one is number `host`; call before anything is computed.

    Number 0 listens at `coordinator`, HOST:PORT, where the others find it. Alone, nothing is done.
    Raises `InputError` for numbers or an address that cannot be, `HostsError` if not all came.
    """
    if hosts == 1 and host == 0 and coordinator is None:
        return
    if not 0 <= host < hosts:
        raise InputError(
            f"--host is {host} of --hosts {hosts}; number the hosts from 0 to {hosts - 1}"
        )
    if coordinator is None or not re.fullmatch(r"\S+:\d{1,5}", coordinator):
        raise InputError(
            f"--coordinator is {coordinator!r}; give the address at which host 0 listens, such as "
            "10.0.0.1:4321, to every host"
        )
    try:
        with _native_output_to_stderr():
            jax.distributed.initialize(coordinator, hosts, host, initialization_timeout=_PATIENCE)
            multihost_utils.sync_global_devices("joined")  # the first collective connects them all
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise HostsError(
            f"{hosts} hosts did not come together at {coordinator} within {_PATIENCE} s ({first}); "
            "start one process for each --host, all with the same --coordinator"
        ) from error


@contextlib.contextmanager
def _native_output_to_stderr() -> Iterator[None]:
    """What libraries print past Python goes to standard error: standard output is for results."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
