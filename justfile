# Recipes of development; `./dev RECIPE` prepares the environment first and then runs them.

bin := justfile_directory() / ".venv/bin"
roots := "streams producers consumers schemas"

# List the recipes.
default:
    @just --list

# Every test on real servers, in random order; two files at a time, because most of the time goes into waiting.
test *options:
    {{ bin }}/python -m pytest --numprocesses 2 --dist loadfile {{ options }}

# Pure tests only, on all cores.
test-unit *options:
    {{ bin }}/python -m pytest tests/unit --numprocesses auto {{ options }}

# Tests that need only a broker.
test-broker *options:
    {{ bin }}/python -m pytest tests/broker {{ options }}

# Whole processes: worker, databases, browser.
e2e *options:
    {{ bin }}/python -m pytest tests/e2e {{ options }}

# What needs a real Kubernetes API server, which is built first by Go where there is none (minutes, once).
test-kubernetes *options:
    {{ bin }}/python -m tests.support.kube_program
    SNOWSHED_TEST_KUBERNETES=on {{ bin }}/python -m pytest tests/kubernetes {{ options }}

# The chaos suite, for as long as one likes: just chaos --seeds 5 --case kill-during-commit (all cases without --case).
chaos *options:
    {{ bin }}/python -m tests.chaos {{ options }}

# Unit tests with branch coverage of every module, also of those that no test imports.
coverage:
    {{ bin }}/python -m pytest tests/unit --cov --cov-report=term-missing:skip-covered

# Style, types, layers, dependencies, spelling.
lint: style types layers

style:
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check .
    {{ bin }}/codespell
    {{ bin }}/deptry {{ roots }}
    {{ bin }}/interrogate --quiet {{ roots }}

types:
    {{ bin }}/mypy
    {{ bin }}/pyright

layers:
    {{ bin }}/lint-imports

# Rewrite what a tool can rewrite.
format:
    {{ bin }}/ruff check --fix .
    {{ bin }}/ruff format .

# Resolve the dependencies anew and pin them with their hashes (needs uv). Extras stay in the names: without them pip
# asks the index for the newest release of what another package wants with extras, and then finds no hash for it. What
# runs is a part of what is developed with: both stand in one environment, so they must agree.
lock:
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --all-extras --group dev -o requirements/dev.txt pyproject.toml
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --extra all --group tools --constraint requirements/dev.txt -o requirements/run.txt pyproject.toml
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras -o requirements/quix.txt tests/benchmarks/peers/quix.in

# Rewrite the generated parts of the documentation.
docs:
    {{ bin }}/python -m tests.support.generate_docs

# Build the wheel and check that it is all there and works without the sources.
wheel:
    {{ justfile_directory() }}/tests/wheel.sh

# Every benchmark, its tables put into docs/performance.md (more than an hour; leave the machine alone meanwhile).
bench *options:
    {{ bin }}/python -m tests.benchmarks --page docs/performance.md {{ options }}

# Collect the changelog fragments of a release.
changelog version:
    {{ bin }}/towncrier build --yes --version {{ version }}
