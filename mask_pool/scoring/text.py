"""An evaluation as plain text tables, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from .agreement import Alpha
from .evaluate import Evaluation
from .outliers import RaterReport


def describe(evaluation: Evaluation, most: int = 20) -> str:
    """Raters, agreement, categories and the kept masks (at most ``most`` per category); ends without a newline."""
    ratings, config = evaluation.ratings, evaluation.config
    if not ratings.masks:
        return "no ratings"
    how = config.method if config.method == "mean" else f"{config.method} ({config.aggregation}, {config.defuzzify})"
    head = (
        f"{len(ratings.masks)} masks, {len(ratings.raters)} raters, {len(ratings.criteria)} criteria "
        f"({', '.join(map(_safe, ratings.criteria))}); scores: {how}"
    )
    return "\n\n".join(
        [head, _raters(evaluation), _agreement(evaluation), _categories(evaluation), _kept(evaluation, most)]
    )


def _raters(evaluation: Evaluation) -> str:
    return _grid(
        ["rater", "masks", "mean", "correlation", "bias", "remark"],
        [
            [
                one.name,
                str(one.graded),
                _number(one.mean),
                _number(one.correlation),
                _number(one.bias),
                _remark(one, evaluation.dropped),
            ]
            for one in evaluation.raters
        ],
    )


def _remark(report: RaterReport, dropped: Sequence[str]) -> str:
    if report.flag is None:
        return report.reason or ""
    fate = ", not heard" if report.name in dropped else ""
    return f"{report.flag.upper()}{fate}: {report.reason}"


def _agreement(evaluation: Evaluation) -> str:
    found = evaluation.agreement
    rows = [[f"Krippendorff's alpha, {metric}", *_alpha(alpha)] for metric, alpha in found.overall.items()]
    if len(found.criteria) > 1:
        rows += [[f"  {name}, interval", *_alpha(alpha)] for name, alpha in found.criteria.items()]
    concordance = found.concordance
    rows.append(
        [
            "Kendall's W",
            _number(concordance.w),
            "" if concordance.p is None else f"p {concordance.p:.2g}",
            concordance.reason or f"{concordance.items} masks, {concordance.raters} raters",
        ]
    )
    return _grid(["agreement", "value", f"{evaluation.config.confidence:.0%} interval", "over"], rows)


def _alpha(alpha: Alpha) -> list[str]:
    interval = f"{alpha.low:.2f} to {alpha.high:.2f}" if alpha.low is not None and alpha.high is not None else ""
    return [_number(alpha.value), interval, alpha.reason or f"{alpha.items} masks, {alpha.raters} raters"]


def _categories(evaluation: Evaluation) -> str:
    rows = [
        [
            name,
            str(one["masks"]),
            str(one["kept"]),
            str(one["kept_without_approval"]),
            ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in one["left_out"].items()),
        ]
        for name, one in evaluation.summary()["categories"].items()
    ]
    return _grid(["category", "masks", "kept", "unapproved", "left out"], rows)


def _kept(evaluation: Evaluation, most: int) -> str:
    verdicts, shown, rows = evaluation.of(), dict[str, int](), []
    for choice in (one for one in evaluation.choices if one.kept):
        shown[choice.mask.label] = shown.get(choice.mask.label, 0) + 1
        if shown[choice.mask.label] <= most:
            found = verdicts[choice.mask]
            rows.append(
                [
                    choice.mask.label,
                    f"{choice.mask.file}#{choice.mask.shape}",
                    _number(found.verdict.score),
                    found.verdict.grade or "",
                    f"{found.approving} of {len(found.raters)}",
                ]
            )
    more = sum(max(0, count - most) for count in shown.values())
    return _grid(["category", "kept", "score", "grade", "approve"], rows) + (f"\nand {more} more" if more else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _safe(text: str) -> str:
    """Names come from files: what could steer a terminal is shown as its escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [list(header), *([_safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
