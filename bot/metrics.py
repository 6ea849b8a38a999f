"""What is counted and timed, for Prometheus. Each process counts what it does itself; what waits is read from the database.

Labels are few and known beforehand: channels, kinds, queues of the pack, names of systems, addresses of services. Nothing
of a customer is in them: `label` lets no other value through.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot import signs
from bot.errors import CrmUnavailable

REGISTRY = CollectorRegistry()
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds in seconds of one call."""
PATIENT = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds in seconds of what a customer waits for."""


def _counter(name: str, about: str, *labels: str) -> Counter:
    return Counter(f"firstline_{name}", about, labels, registry=REGISTRY)


def _times(name: str, about: str, *labels: str, bounds: tuple[float, ...] = QUICK) -> Histogram:
    return Histogram(f"firstline_{name}_seconds", about, labels, buckets=bounds, registry=REGISTRY)


# --------------------------------------------------------------------------------------------------------- messengers
RECEIVED = _counter("updates_received", "Updates of messengers that were stored.", "channel", "kind")
REPEATED = _counter("updates_repeated", "Updates that a messenger sent again: not stored twice.", "channel")
FLOODED = _counter("updates_over_limit", "Updates of customers who write too much.", "channel", "what")
# what: waits (read together later), left_out (over the limit of an hour)
CUT = _counter("updates_cut", "Updates larger than what is kept: cut, marked.", "channel", "part")
DELIVERIES = _counter("deliveries", "Attempts to send a message, by how they ended.", "channel", "result")
# result: sent, retry, failed, refused (an agent speaks), unknown
DOUBLED = _counter(
    "deliveries_possibly_doubled", "Messages sent again after an attempt that nobody knows the end of.", "channel"
)
ANSWERED = _times("answer", "From a customer's line being stored to the answer being sent.", "channel", bounds=PATIENT)

# -------------------------------------------------------------------------------------------------------------- turns
TURNS = _counter("turns", "Turns of customers, by what came of them.", "channel", "outcome")
# outcome: answered, handed_over, added (to a waiting request), error
TURN_SECONDS = _times("turn", "A turn, from its beginning to its commit.", "channel")
HANDOFFS = _counter("handoffs", "Conversations and tasks given to people.", "queue", "kind")
# kind: handoff, case

# ------------------------------------------------------------------------------------------------------ what is asked
NLU_SECONDS = _times("nlu_request", "Answers of the NLU services.", "address")
NLU_FAILED = _counter("nlu_failures", "Questions that an NLU service did not answer.", "address")
CRM_SECONDS = _times("crm_request", "Answers of the shop's systems.", "system")
CRM_FAILED = _counter("crm_failures", "Questions that a system of the shop did not answer.", "system")

# --------------------------------------------------------------------------------------------------------------- work
RESCUED = _counter("jobs_rescued", "Jobs of dead workers that were done again.", "job")
JOB_FAILED = _counter("jobs_failed", "Jobs that failed and are tried again.", "job")
FILES = _counter("files", "Customers' attachments, by what became of them.", "channel", "result")
# result: kept, refused, lost
HOOKS = _counter("hooks", "Attempts to tell the outside system of an event, by how they ended.", "event", "result")
# result: sent, retry, given_up
API_CALLS = _counter("api_calls", "Calls of outside systems.", "operation", "status")

_PLAIN = re.compile(r"[\w.:/@\[\]-]{1,80}")


def label(value: str) -> str:
    """A value as a label: short and plain, else "other"."""
    return value if _PLAIN.fullmatch(value) else "other"


# ------------------------------------------------------------------------------------------------------- timing calls
@contextmanager
def nlu_call(address: str) -> Iterator[None]:
    """Time a call of an NLU service; whatever it raises is a failure."""
    begun = time.perf_counter()
    try:
        yield
    except Exception:
        NLU_FAILED.labels(label(address)).inc()
        raise
    finally:
        NLU_SECONDS.labels(label(address)).observe(time.perf_counter() - begun)


@contextmanager
def crm_call(system: str) -> Iterator[None]:
    """Time a call of one of the shop's systems; a failure counts for the system that it names."""
    begun = time.perf_counter()
    try:
        yield
    except CrmUnavailable as down:
        CRM_FAILED.labels(label(down.system)).inc()
        signs.bad(signs.CRM, down.system, "does not answer")
        raise
    else:
        signs.good(signs.CRM, system)
    finally:
        CRM_SECONDS.labels(label(system)).observe(time.perf_counter() - begun)


# ----------------------------------------------------------------------------------------------------------- rendering
class Snapshot:
    """Gauges that are true for the moment of one scrape: `set(name, about, labels, values)`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def set(self, name: str, about: str, value: float) -> None:
        """A single figure."""
        Gauge(f"firstline_{name}", about, registry=self.registry).set(value)

    def each(self, name: str, about: str, key: str, values: Mapping[str, float]) -> None:
        """A figure for each of some names."""
        gauge = Gauge(f"firstline_{name}", about, [key], registry=self.registry)
        for one, value in values.items():
            gauge.labels(label(one)).set(value)


def render(snapshot: Snapshot) -> bytes:
    """Everything, in Prometheus's text format."""
    return bytes(generate_latest(REGISTRY)) + bytes(generate_latest(snapshot.registry))
