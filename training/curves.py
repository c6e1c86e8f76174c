"""Pictures of confidence: the reliability diagram and the risk-coverage curve."""

from collections.abc import Sequence
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


def reliability_picture(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], title: str, path: Path
) -> None:
    """Write how often readings are right at each confidence, in bins of equally many readings.

    confidences f64 [N] in [0, 1]; right bool [N]. Bars: 90 % intervals of Clopper and Pearson. The
    second panel is the upper end of the first.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    figure.suptitle(f"{title}: {len(right)} readings")
    whole, upper = figure.subplots(1, 2)
    rows = reliability(confidences, right)
    for axes, low in ((whole, 0.0), (upper, 0.9)):
        axes.plot([low, 1], [low, 1], color="grey", linewidth=0.8)
        for mean, share, least, most in rows:
            axes.plot([mean, mean], [least, most], color="tab:blue", linewidth=1)
            axes.plot(mean, share, "o", color="tab:blue", markersize=4)
        axes.set_xlim(low, 1.0)
        axes.set_ylim(low, 1.0 + 0.01 * (1 - low))
        axes.set_xlabel("confidence")
    whole.set_ylabel("share read rightly")
    _save(figure, path)


def reliability(
    confidences: NDArray[np.float64], right: NDArray[np.bool_]
) -> list[tuple[float, float, float, float]]:
    """Mean confidence, share right and its 90 % interval, of bins of equally many readings."""
    order = np.argsort(confidences, kind="stable")
    rows = []
    for part in np.array_split(order, min(_BINS, max(1, len(order)))):
        if len(part) == 0:
            continue
        count, wrong = len(part), int((~right[part]).sum())
        rows.append(
            (
                float(confidences[part].mean()),
                1 - wrong / count,
                1 - error_bound(wrong, count),
                error_bound(count - wrong, count),
            )
        )
    return rows


def risk_coverage_picture(
    confidences: NDArray[np.float64],
    right: NDArray[np.bool_],
    title: str,
    path: Path,
    *,
    images: int | None = None,
    marks: Sequence[tuple[float, float, str]] = (),
) -> None:
    """Write the error among the accepted over the share accepted, most confident first.

    confidences f64 [N], right bool [N]. images: how many there are in all, if more than N. marks:
    share accepted, error and name of acceptances to be pointed out, both as shares.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    whole = max(images or len(right), 1)
    counts, wrong = risk_coverage(confidences, right)
    counts, wrong = counts[counts >= _FEWEST], wrong[counts >= _FEWEST]
    axes.plot(100 * counts / whole, 100 * wrong / counts, color="tab:blue", label="wrong")
    some = np.unique(np.linspace(0, max(len(counts) - 1, 0), _POINTS).astype(int))[: len(counts)]
    pairs = zip(wrong[some].tolist(), counts[some].tolist(), strict=True)
    axes.plot(
        100 * counts[some] / whole, [100 * error_bound(w, n) for w, n in pairs],
        color="tab:orange", linewidth=0.8, label="at most, with 95 % confidence at one threshold",
    )  # fmt: skip
    for share, error, name in marks:
        axes.plot(100 * share, 100 * error, "o", color="tab:red", markersize=4)
        axes.annotate(name, (100 * share, 100 * error), (4, -10), textcoords="offset points")
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accepted, % of all")
    axes.set_ylabel("wrong, % of the accepted")
    axes.set_title(f"{title}: {whole} images")
    axes.grid(which="both", linewidth=0.3)
    axes.legend()
    _save(figure, path)


def risk_coverage(
    confidences: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Accepted and wrong at every threshold that differs, i64 [M] each; ties go together."""
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    last = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    counts = np.arange(1, len(ranked) + 1)[last]
    return counts, np.cumsum(~right[order])[last].astype(np.int64)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
