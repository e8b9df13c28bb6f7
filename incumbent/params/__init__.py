"""What a project declares in params.yaml, as frozen values that are checked when they are read.

Every other room may use them. This room defines the allowed keys, their meaning and which values go together;
it reads no data and does no work.
"""

from incumbent.params.cost import CostParams
from incumbent.params.data import (
    FORMATS,
    CleanParams,
    DatasetParams,
    DatePart,
    FeatureParams,
    GateParams,
    LagParams,
    LandingParams,
    Limits,
    RareTreatment,
    SplitParams,
)
from incumbent.params.load import load_params, parse_params
from incumbent.params.metrics import METRICS, Metric, Task
from incumbent.params.promotion import (
    FairnessParams,
    LimitParams,
    MonitorParams,
    PromotionParams,
    RegistryParams,
    SliceParams,
)
from incumbent.params.space import OPTIONS, Option, Range, Space
from incumbent.params.tracking import SinkName, TrackingParams
from incumbent.params.training import (
    LEARNERS,
    OURS,
    BiasParams,
    DecisionParams,
    ImbalanceParams,
    LightGBMParams,
    RetrainParams,
    SearchParams,
    SegmentParams,
    TorchParams,
)
from incumbent.params.whole import Params

__all__ = [
    "FORMATS",
    "LEARNERS",
    "METRICS",
    "OPTIONS",
    "OURS",
    "BiasParams",
    "CleanParams",
    "CostParams",
    "DatasetParams",
    "DatePart",
    "DecisionParams",
    "FairnessParams",
    "FeatureParams",
    "GateParams",
    "ImbalanceParams",
    "LagParams",
    "LandingParams",
    "LightGBMParams",
    "LimitParams",
    "Limits",
    "Metric",
    "MonitorParams",
    "Option",
    "Params",
    "PromotionParams",
    "Range",
    "RareTreatment",
    "RegistryParams",
    "RetrainParams",
    "SearchParams",
    "SegmentParams",
    "SinkName",
    "SliceParams",
    "Space",
    "SplitParams",
    "Task",
    "TorchParams",
    "TrackingParams",
    "load_params",
    "parse_params",
]
