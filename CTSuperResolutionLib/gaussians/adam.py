"""Adam (Kingma and Ba 2015) on one tensor, by torch's fused kernel.

``torch.optim.Adam(fused=True)`` computes the same, and imports torch's compiler the first time: a second of every run.
"""

from __future__ import annotations

from collections import defaultdict

import torch

BETAS = (0.9, 0.999)
EPS = 1e-15
"""As in R2-Gaussian: gradients of single Gaussians are small."""


class Adam:
    """An optimizer with the attributes by which gsplat's operations bring moments along with what is learned.

    Attributes:
        param_groups: one, of the one tensor. state: of that tensor; empty before the first step.
    """

    def __init__(self, parameter: torch.nn.Parameter) -> None:
        self.param_groups = [{"params": [parameter]}]
        self.state: dict[torch.Tensor, dict[str, torch.Tensor]] = defaultdict(dict)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Follow the gradient, and take it away; nothing is done where there is none."""
        (parameter,) = self.param_groups[0]["params"]
        if parameter.grad is None:
            return
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        torch._fused_adam_(
            [parameter],
            [parameter.grad],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            lr=learning_rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=0.0,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )
        parameter.grad = None
