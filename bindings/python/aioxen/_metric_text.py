# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes metrics from rows and objects. Renders them as Prometheus's text, in parts that take less than a
millisecond each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import Metric

from aioxen import _metric_tables as tables
from aioxen import _values as v


class _One:
    """A registry with one metric, for generate_latest()."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> list[Metric]:
        return [self._metric]


SAMPLES = 100
"""The number of samples that are rendered without a pause."""


def text_parts(metric: Metric, described: bool = True) -> Iterator[bytes]:
    """Renders a metric in parts. If `described` is true, the first part begins with the two lines that
    describe the metric."""
    samples = metric.samples
    for first in range(0, max(len(samples), described), SAMPLES):
        part = Metric(metric.name, metric.documentation, metric.type)
        part.samples = samples[first : first + SAMPLES]
        text = generate_latest(_One(part))  # type: ignore[arg-type]
        yield text if described and first == 0 else text.split(b"\n", 2)[2]


def of_row(
    row: tables.Row,
    objects: Iterable[Any],
    labels: tuple[str, ...] = (),
    shared: Callable[[Any], tuple[str, ...]] = lambda _: (),
) -> Metric:
    """Returns the metric of a row. `shared` returns the values of `labels` for one object."""
    metric = Metric(row.name, row.text, row.kind)
    name = f"{row.name}_total" if row.kind == "counter" else row.name
    for one in objects:
        first = shared(one)
        for values, value in row.values(one):
            written = map(v.valid_text, (*first, *values))
            metric.add_sample(name, dict(zip((*labels, *row.labels), written, strict=True)), float(value))
    return metric
