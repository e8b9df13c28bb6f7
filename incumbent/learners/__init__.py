"""Model families behind one protocol: a learner turns binned rows into the bytes of a model.

Models are plain text or tensors, never pickles. The same rows, options and seed give the same bytes. A new
family is a module here and a case in each function below; what all families share (folds, weights, search)
belongs to other rooms.
"""

from incumbent.errors import BadInput
from incumbent.features.schema import Schema
from incumbent.learners.protocol import Batch, Learner, NotPortable, Point, Trained, joined
from incumbent.params import Params, TorchParams

__all__ = ["Batch", "Learner", "NotPortable", "Point", "Trained", "joined", "learner_type", "open_learner"]


def learner_type(name: str) -> type[Learner]:
    """The learner of this name, to load its models with. Raises BadInput for an unknown name."""
    match name:
        case "lightgbm":
            from incumbent.learners.lightgbm import LightGBM

            return LightGBM
        case "torch":
            from incumbent.learners.torch import Torch

            return Torch
    raise BadInput(f"the model was made by the learner '{name}', which this incumbent does not know: upgrade")


def open_learner(params: Params, schema: Schema) -> Learner:
    """The learner that params.yaml names, ready for rows of this schema."""
    if isinstance(params.learner, TorchParams):
        from incumbent.learners.torch import Torch

        folds = params.promotion.model_copy(update={"metric": params.fold_metric})
        return Torch(params.learner, params.seed, schema, folds, params.space)
    from incumbent.learners.lightgbm import LightGBM

    return LightGBM(params.learner, params.seed, schema, params.fold_metric, params.space)
