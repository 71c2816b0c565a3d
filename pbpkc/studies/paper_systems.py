"""The three systems of the MI-PINN paper, what is measured of them, and what the paper reports.

The paper's numbers are from a public digest of it (second hand): Wei Z et al. (2026) arXiv 2605.03511. Its
errors are computed here from its estimates.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Estimates of one method as the paper prints them.

    Parameters
    ----------
    method : str
    km : float, umol/L
    vmax : float
        In the paper's unit of that system.
    ratio : float
        Vmax / Km.
    """

    method: str
    km: float
    vmax: float
    ratio: float


@dataclass(frozen=True)
class PaperSystem:
    """One of the three cases.

    Parameters
    ----------
    name, title, spec : str
        `spec` is the file's name.
    scenario : str
        Of the case itself, one venous channel.
    times : tuple of float, h
        Ten of them.
    amount : str
        Observable of what the masked pathway made, for designs.
    design : tuple of str
        Scenarios in which Km is determined, measured together.
    data : tuple of str
        Scenarios that read clinical means.
    truth : Published
        What the paper generated or took as true.
    published : tuple of Published
    """

    name: str
    title: str
    spec: str
    scenario: str
    times: tuple[float, ...]
    amount: str
    design: tuple[str, ...]
    data: tuple[str, ...]
    truth: Published
    published: tuple[Published, ...]


#: Of Rawlins (1977) after 1 g over 15 min; the paper used these.
_RAWLINS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)

SYSTEMS = (
    PaperSystem(
        "paracetamol_iv",
        "Paracetamol, intravenous, 22 states",
        "paracetamol_iv.pbpk",
        "iv",
        _RAWLINS,
        "A2b15",
        ("iv", "iv_100g"),
        ("rawlins_iv",),
        Published("truth", 23_000.0, 1.80, 7.83e-5),
        (
            Published("MI-PINN", 27_727.0, 2.18, 7.86e-5),
            Published("MATLAB lsqcurvefit, trust region", 100_000.0, 8.86, 8.86e-5),
        ),
    ),
    PaperSystem(
        "paracetamol_oral",
        "Paracetamol, oral, 33 states",
        "paracetamol_oral.pbpk",
        "po",
        _RAWLINS,
        "A2b15",
        ("po", "po_100g"),
        ("rawlins_1g",),
        Published("truth", 23_000.0, 1.80, 7.83e-5),
        (
            Published("MI-PINN", 18_053.0, 1.32, 7.31e-5),
            Published("MATLAB lsqcurvefit, trust region", 16_310.0, 3.74, 2.29e-4),
        ),
    ),
    PaperSystem(
        "theophylline_iv",
        "Theophylline, intravenous, 22 states",
        "theophylline_iv.pbpk",
        "iv",
        (0.5, 1.0, 2.0, 4.0, 6.0, 9.0, 12.0, 18.0, 24.0, 36.0),
        "A1a2",
        ("iv", "iv_high"),
        ("steinijans", "gisclon"),
        Published("truth", 230.0, 4.39e-4, 1.91e-6),
        (
            Published("MI-PINN", 214.0, 4.10e-4, 1.92e-6),
            Published("MATLAB lsqcurvefit, trust region", 999.0, 1.92e-3, 1.92e-6),
        ),
    ),
)

#: Mean squared error over all states after inversion of theophylline, its unit not known.
PAPER_TRAJECTORY_MSE = {"MI-PINN": 0.17, "standard joint inverse PINN": 1.92e3}

#: Mean squared error of the forward representation with several branches and with one.
PAPER_BRANCHES = {"several branches": 0.28, "one branch": 5.63}

#: Seconds of one inference, which the paper does not define further.
PAPER_SECONDS = {"MI-PINN": 4.17, "SciPy odeint": 14.66}
