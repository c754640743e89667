"""Fault of $CTSR_FAULT, injected into every Python process that has this folder on its path, before all else."""

import json
import os

from injection import clock, file_layer, trigger

file_layer.install()
clock.install()
trigger.arm(json.loads(os.environ.get("CTSR_FAULT", "{}")))
