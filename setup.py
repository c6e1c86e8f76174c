"""Compiles the pipeline's inner loops into the wheel; everything else stands in pyproject.toml."""

import importlib.util
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

_NATIVE = Path("service", "pipeline", "native")


class _WithKernels(build_py):
    """Copies the modules, then builds the library beside them; an editable tree builds its own."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            spec = importlib.util.spec_from_file_location("compiler", _NATIVE / "compiler.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.build(Path(self.build_lib) / _NATIVE)


class _Compiled(Distribution):
    """A distribution whose wheel is of one platform."""

    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": _WithKernels}, distclass=_Compiled)
