"""How the networks of `--basis network` are trained."""

from __future__ import annotations

from dataclasses import dataclass

#: What `--objective` accepts, with what each is.
OBJECTIVES = {
    "physics": "the residual of the generated equations at the head's solution",
    "projection": "what the best fit of the features leaves of the reference trajectories",
    "both": "the residual, and the error of the head's solution against the reference trajectories",
}

#: Where the output map may begin.
STARTS = ("projection", "random")

#: Where a network can be trained.
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class NetworkOptions:
    """Choices of stage 1 for sine networks.

    Parameters
    ----------
    steps : int
        Steps of Adam for each number of branches.
    objective : {"physics", "projection", "both"}
        What is made small.
    device : {"cpu", "cuda"}
    width : int
        Units of each of the two hidden layers of a branch; the paper has 256.
    tasks : int
        Segments that each step looks at; the paper has 20 tasks.
    learning_rate : float
        At its height, in terms of orthonormal features (see `network_start`). The paper starts at 0.05, on
        weights without such a measure and with more features than points.
    start : {"projection", "random"}
        Where the output map begins: at the best fit to the singular vectors of the trajectories, or anywhere.
    passes : int
        Times, at most, that the equations are made linear within a step: at the reference trajectory, then
        at the last solution. Gradients are exact once it does not change.
    keep : int
        Steps between two checkpoints.
    """

    steps: int = 300
    objective: str = "physics"
    device: str = "cpu"
    width: int = 256
    tasks: int = 20
    learning_rate: float = 1e-3
    start: str = "projection"
    passes: int = 4
    keep: int = 50

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; accepted are {', '.join(OBJECTIVES)}")
        if self.device not in DEVICES:
            raise ValueError(f"device is {self.device!r}; accepted are {', '.join(DEVICES)}")
        if self.start not in STARTS:
            raise ValueError(f"start is {self.start!r}; accepted are {', '.join(STARTS)}")
        for name in ("steps", "width", "tasks", "passes", "keep"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} is {value!r}; accepted is an integer of at least 1")
        if not 0.0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate!r}; accepted is a positive number")
