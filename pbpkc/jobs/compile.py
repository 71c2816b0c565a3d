"""The compiler's output: generated files, and every stage as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbpkc.jobs.spec import Spec


def module_files(loaded: Spec) -> Mapping[str, str]:
    """File names and texts of the generated modules and their manifest."""
    generated = loaded.generated
    assert generated.torch_text is not None
    return {
        "model_numpy.py": generated.numpy_text,
        "model_torch.py": generated.torch_text,
        "kernel.c": kernel_text(loaded),
        "manifest.json": manifest_text(loaded),
    }


def kernel_text(loaded: Spec) -> str:
    """The nonlinear kernel's C text, or a comment that says why there is none."""
    assert loaded.generated.kernel is not None
    written = loaded.generated.kernel.rosenbrock()
    return written.text or f"/* {loaded.model.name} has no kernel: {written.reason} */\n"


def manifest_text(loaded: Spec) -> str:
    """The manifest as JSON."""
    return json.dumps(loaded.generated.manifest, indent=1, ensure_ascii=False) + "\n"


def stage_text(spec: str, loaded: Spec | None, stage: str) -> str:
    """One stage in its text form.

    Parameters
    ----------
    spec : str
        Path of the spec; only ``tree`` reads it again.
    loaded : Spec or None
        Not needed for ``tree``.
    stage : str
        ``tree``, ``model``, ``system``, ``analysed``, ``numpy``, ``torch``, ``kernel``, ``latex`` or
        ``manifest``.

    Raises
    ------
    ValueError
        For another stage.
    """
    if stage == "tree":
        from pbpkc.compiler.driver import read
        from pbpkc.language.syntax.format import format_tree

        return format_tree(read(spec))
    assert loaded is not None
    match stage:
        case "model":
            from pbpkc.language.show import show_model

            return show_model(loaded.model)
        case "system":
            from pbpkc.compiler.emit import emit_system

            return emit_system(loaded.system)
        case "analysed":
            from pbpkc.compiler.emit import emit_analysed

            return emit_analysed(loaded.stages.analysed)
        case "numpy":
            return loaded.generated.numpy_text
        case "torch":
            return loaded.generated.torch_text or ""
        case "kernel":
            return kernel_text(loaded)
        case "latex":
            from pbpkc.report.equations_latex import equations_latex

            return equations_latex(loaded.stages.lowered)
        case "manifest":
            return manifest_text(loaded)
    raise ValueError(
        f"stage is {stage!r}; accepted are tree, model, system, analysed, numpy, torch, kernel, latex, "
        "manifest"
    )
