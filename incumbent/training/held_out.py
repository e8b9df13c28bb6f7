"""Rows that models of a recipe predicted without having learned from them: to judge and to estimate by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from incumbent.features.out_of_sample import OutOfSample
from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.models.reference import ERRORS, Reference, load_errors
from incumbent.models.reference import FILE as REFERENCE

if TYPE_CHECKING:
    from incumbent.learners.expected_error import ExpectedError

OUT_OF_SAMPLE = "out-of-sample.parquet"


@dataclass(frozen=True)
class HeldOut:
    """out_of_sample: predictions to judge a challenger by; reference: those with labels, to estimate how good
    the version is before labels come, None without rows; errors: for that, of a regression."""

    out_of_sample: OutOfSample
    reference: Reference | None
    errors: ExpectedError | None

    @staticmethod
    def of(
        paths: Sequence[Path],
        rows: Rows,
        held: np.ndarray,
        predictions: np.ndarray,
        schema: Schema,
        seed: int,
        parent: Path | None = None,
    ) -> HeldOut:
        """Of a full training, or of an update of the version in the folder `parent`.

        paths: those that `rows` were read from; held: (n,) numbers in `rows` of the predicted ones;
        predictions: (seeds, n) or (seeds, n, classes); seed: of the expected errors.
        """
        out_of_sample = OutOfSample.of(paths, rows, held, predictions)
        earlier = errors = None
        if parent is not None:
            earlier, errors = Reference.load(parent / REFERENCE), load_errors(parent / ERRORS)
        if not len(held):
            return HeldOut(out_of_sample, earlier, errors)
        order = np.argsort(held, kind="stable")
        numbers, predicted = held[order], predictions[0][order].astype(np.float32)
        new = Reference(rows.y[numbers].astype(np.float64), predicted, rows.group[numbers]).latest()
        if schema.task == "regression":
            X = rows.X[numbers[-len(new.y) :]]
            if errors is None:  # also where an earlier release made the parent
                from incumbent.learners.expected_error import fit_expected_error

                errors = fit_expected_error(X, new.y, new.predictions, schema.categorical, seed)
            new = new.with_expected_error(errors, X)
        return HeldOut(out_of_sample, new.after(earlier), errors)

    def save(self, folder: Path) -> list[str]:
        """Write the files; returns their names."""
        self.out_of_sample.save(folder / OUT_OF_SAMPLE)
        names = [OUT_OF_SAMPLE]
        if self.reference is not None:
            self.reference.save(folder / REFERENCE)
            names.append(REFERENCE)
        if self.errors is not None:
            (folder / ERRORS).write_text(self.errors.text, encoding="utf-8")
            names.append(ERRORS)
        return names
