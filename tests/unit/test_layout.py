"""Guard rails of the layout (docs/adr/0001-layout.md)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("streams", "producers", "consumers", "schemas")


@pytest.mark.parametrize("root", ROOTS)
def test_the_namespace_stays_open(root: str) -> None:
    assert not (ROOT / root / "snowshed" / "__init__.py").exists()
    assert not (ROOT / root / "__init__.py").exists()


def test_the_docker_folder_is_no_package() -> None:
    assert not list((ROOT / "docker").rglob("__init__.py"))


@pytest.mark.parametrize("root", ROOTS)
def test_every_part_is_importable_and_typed(root: str) -> None:
    import_module(f"snowshed.{root}")
    assert (ROOT / root / "snowshed" / root / "py.typed").exists()


@pytest.mark.parametrize("root", ROOTS)
def test_every_folder_of_modules_is_a_package(root: str) -> None:
    inside = ROOT / root / "snowshed" / root
    folders = {path.parent for path in inside.rglob("*.py")}
    assert (
        sorted(folder.relative_to(ROOT).as_posix() for folder in folders if not (folder / "__init__.py").exists()) == []
    )


@pytest.mark.parametrize("root", ["producers", "consumers", "schemas"])
def test_public_names_are_sorted_and_exist(root: str) -> None:
    module = import_module(f"snowshed.{root}")
    assert sorted(module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)) == list(
        module.__all__
    )
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
