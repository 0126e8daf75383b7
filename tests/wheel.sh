#!/bin/sh
# Builds the wheel and runs the unit tests against it alone, in an environment that has never seen the sources.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m build --wheel --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || {
  cat "$work/build.log" >&2
  exit 1
}
.venv/bin/python -m venv --system-site-packages --without-pip "$work/env"
# The environment's own packages come first; the dependencies are those of .venv, without its editable install.
site=$("$work/env/bin/python" -c 'import site; print(site.getsitepackages()[0])')
dependencies=$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')
.venv/bin/python -m zipfile -e "$work"/dist/snowshed-*.whl "$site"
printf '%s\n' "$dependencies" >"$site/dependencies.pth"
cp -r tests docs docker dev justfile requirements pyproject.toml README.md CONTRIBUTING.md "$work/" 2>/dev/null || true
cd "$work"
env/bin/python - <<'PYTHON'
import snowshed.producers, snowshed.consumers, snowshed.schemas, snowshed.streams, sys
paths = {name: sys.modules[f"snowshed.{name}"].__file__ for name in ("producers", "consumers", "schemas", "streams")}
assert all("/env/" in path for path in paths.values()), f"imported from the sources, not from the wheel: {paths}"
PYTHON
env/bin/python -m pytest tests/unit -q -p no:cacheprovider \
  --ignore tests/unit/test_layout.py --ignore tests/unit/test_docs.py --numprocesses auto
