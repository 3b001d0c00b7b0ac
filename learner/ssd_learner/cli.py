"""`ssd-learner`: the learner of one agent, as a process."""

from __future__ import annotations

import math
import secrets
from pathlib import Path

import click
import torch

from ssd_learner.build import build_learner
from ssd_learner.device import torch_device
from ssd_learner.links import ZmqLinks
from ssd_learner.metrics import LearnerMetrics
from ssd_learner.run_settings import LearnerRun
from ssd_wire.endpoints import hold
from ssd_wire.memory import keep_freed_memory
from ssd_wire.process import (
    WholeNumber,
    announce,
    log_as,
    process_options,
    reports_errors,
    serve_metrics,
)
from ssd_wire.stop import Stop
