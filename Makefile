# Two commands do everything on a fresh machine: `make train` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PRESET ?= cleanup-moa
STEPS ?=
ARGS ?=
FUZZ_SECONDS ?= 600
CHAOS_SEED ?=
HISTORIES ?= 0:100000

.PHONY: train test test-cluster test-slurm conformance chaos check format bench fuzz attacks clean

train: $(VENV)/ready
	$(BIN)/ssd-train $(PRESET) $(if $(STEPS),--steps $(STEPS)) $(ARGS)

# Two workers take files in their order: what a file's tests share is made once.
test: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

# Runs the manifests of deploy/kubernetes in containers: needs root, podman and kubectl; see
# tests/cluster. Took 9 minutes with building the image, 6 without, on two busy cores.
test-cluster: $(VENV)/ready
	$(BIN)/python -m pytest --exitfirst tests/cluster/training.py $(ARGS)

# Every preset is trained and gone on with, from the command line: minutes, so not a test of the suite.
conformance: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses=2 tests/conformance/every_preset.py $(ARGS)

# Jobs on a real Slurm cluster that is started here, which takes root and Slurm: see tests/slurm.
test-slurm: $(VENV)/ready
	$(BIN)/python -m pytest tests/slurm/training.py $(ARGS)

# Simulated histories, real runs under random faults, the speed under faults, and processes that are
# cut off: half an hour on two cores. Seeds are printed; CHAOS_SEED=N draws the same faults again.
chaos: $(VENV)/ready
	$(BIN)/python -m tests.simulation --seeds $(HISTORIES) --processes 2
	$(BIN)/python -m tests.chaos faults $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))
	$(BIN)/python -m tests.chaos throughput $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))
	$(BIN)/python -m tests.chaos deterministic $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))
	$(BIN)/python -m tests.chaos separations

# Gives random input to everything that reads bytes from outside, guided by the code that it reaches.
fuzz: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

# Attacks a running training, without and with encryption: minutes. See deploy/results/attacks.
attacks: $(VENV)/ready
	$(BIN)/python -m tests.attacks $(ARGS)
	$(BIN)/python -m tests.attacks --keys $(ARGS)

# The same checks everywhere: here, in pre-commit and in CI.
check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict --config-file deploy/kubernetes/.yamllint.yaml deploy/kubernetes

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/ready
	$(BIN)/ssd-bench $(ARGS)

# The rules of Prometheus as an object of its operator for Kubernetes.
RULE := deploy/kubernetes/overlays/monitoring/prometheus-rule
$(RULE).yaml: deploy/prometheus/rules.yml $(RULE).head
	{ cat $(RULE).head; sed 's/^./  &/' $<; } > $@

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
