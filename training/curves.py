"""Pictures of confidence: the reliability diagram and the risk-coverage curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.pipeline.decision import error_bound

_BINS = 12
# Accepted readings from which on an error is drawn: that of fewer says nothing.
_FEWEST = 20
_POINTS = 200
_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")


@dataclass(frozen=True, slots=True)
class Judged:
    """Readings of one kind: confidences f64 [N] in [0, 1], and whether right, bool [N].

    images: how many there are in all; those beyond N can't be accepted.
    """

    name: str
    confidences: NDArray[np.float64]
    right: NDArray[np.bool_]
    images: int


def reliability_picture(kinds: Sequence[Judged], title: str, path: Path) -> None:
    """Write how often readings are right at each confidence, in bins of equally many readings.

    Bars: 90 % intervals of Clopper and Pearson. The second panel is the upper end of the first.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    figure.suptitle(title)
    whole, upper = figure.subplots(1, 2)
    for axes, low in ((whole, 0.0), (upper, 0.9)):
        axes.plot([low, 1], [low, 1], color="grey", linewidth=0.8)
        for one, colour in zip(kinds, _COLOURS, strict=False):
            label = f"{one.name}: {len(one.right)} readings"
            for mean, share, least, most in reliability(one):
                axes.plot([mean, mean], [least, most], color=colour, linewidth=1)
                axes.plot(mean, share, "o", color=colour, markersize=4, label=label)
                label = ""
        axes.set_xlim(low, 1.0)
        axes.set_ylim(low, 1.0 + 0.01 * (1 - low))
        axes.set_xlabel("confidence")
    whole.set_ylabel("share read rightly")
    _finish(figure, whole, path)


def reliability(one: Judged) -> list[tuple[float, float, float, float]]:
    """Mean confidence, share right and its 90 % interval, of bins of equally many readings."""
    order = np.argsort(one.confidences, kind="stable")
    rows = []
    for part in np.array_split(order, min(_BINS, max(1, len(order)))):
        if len(part) == 0:
            continue
        count, wrong = len(part), int((~one.right[part]).sum())
        rows.append(
            (
                float(one.confidences[part].mean()),
                1 - wrong / count,
                1 - error_bound(wrong, count),
                error_bound(count - wrong, count),
            )
        )
    return rows


def calibration_error(one: Judged) -> float:
    """The expected calibration error: mean distance of confidence and share right, over the bins.

    Of bins of equally many readings (Naeini et al., 2015).
    """
    return float(np.mean([abs(mean - share) for mean, share, _, _ in reliability(one)]))


def risk_coverage_picture(kinds: Sequence[Judged], title: str, path: Path) -> None:
    """Write the error among the accepted over the share accepted, most confident first.

    The thin line is what the error may be at most, with 95 % confidence at a single threshold.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    for one, colour in zip(kinds, _COLOURS, strict=False):
        counts, wrong = risk_coverage(one)
        counts, wrong = counts[counts >= _FEWEST], wrong[counts >= _FEWEST]
        label = f"{one.name}: {one.images} images"
        axes.plot(100 * counts / one.images, 100 * wrong / counts, color=colour, label=label)
        some = np.unique(np.linspace(0, max(len(counts) - 1, 0), _POINTS).astype(int))
        some = some[: len(counts)]
        pairs = zip(wrong[some].tolist(), counts[some].tolist(), strict=True)
        bounds = [100 * error_bound(few, many) for few, many in pairs]
        axes.plot(100 * counts[some] / one.images, bounds, color=colour, linewidth=0.6)
    axes.set_yscale("symlog", linthresh=0.5)
    ticks = [0, 0.5, 1, 2, 5, 10, 20, 50, 100]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(0, 100)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accepted, % of all")
    axes.set_ylabel("wrong, % of the accepted")
    axes.set_title(f"{title}; thin: at most, with 95 % confidence", fontsize=10)
    axes.grid(linewidth=0.3)
    _finish(figure, axes, path)


def risk_coverage(one: Judged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Accepted and wrong at every threshold that differs, i64 [M] each; ties go together."""
    order = np.argsort(-one.confidences, kind="stable")
    ranked = one.confidences[order]
    last = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    counts = np.arange(1, len(ranked) + 1)[last]
    return counts, np.cumsum(~one.right[order])[last].astype(np.int64)


def _finish(figure: Figure, axes: Axes, path: Path) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
