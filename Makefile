# Everything below needs Python 3.11+ (with venv) and make, nothing else.
PYTHON ?= python3
UV := .uv/bin/uv
RUN := .venv/bin/
export UV_PYTHON_DOWNLOADS := never
# Ten programs and hundreds of tests' processes must not compile our sources anew at every start.
export PYTHONDONTWRITEBYTECODE :=
UP_ARGS ?=
T ?= tests
AT ?=
# A file's tests run in one process, whose servers and programs they share; folders with slow tests begin first.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help up down test test-unit check format reference bench chaos rabbitmq clean
help:                    ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS="|" read -r name text; do printf "  %-10s %s\n" "$$name" "$$text"; done

up: .venv/.locked        ## start everything; UP_ARGS="--replay FILE --speed 60" is passed to `up`
	@$(RUN)tickwork up $(UP_ARGS)

down: .venv/.locked      ## stop what `make up` started, from another shell
	@$(RUN)tickwork down

test: .venv/.locked .clients/.installed ## the test suite in parallel, but for bench, rabbitmq and long; T=tests/integration/orders: a part; AT=2026-12-24T10:00: another date
	$(if $(AT),$(RUN)python -m tests.at_date $(AT)) $(RUN)python -m pytest -m "not bench and not rabbitmq and not long" $(PARALLEL) $(T)

test-unit: .venv/.locked ## the tests that need no server
	$(RUN)python -m pytest --numprocesses 2 --dist worksteal tests/architecture tests/unit

check: .venv/.locked     ## format, lint, types, import contracts
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy
	$(RUN)lint-imports --no-cache

format: .venv/.locked    ## format the code
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

reference: .venv/.locked ## write NOTICE and the generated pages of docs/reference (commands, json, tables, states)
	$(RUN)python -m tests.reference_pages
	$(RUN)python -m tests.notice

bench: .venv/.peers      ## measure, against a control in the same run
	$(RUN)python -m pytest -m bench -s tests/bench

chaos: .venv/.locked     ## the long form of the tests that kill real processes, and 1,000 random examples of each property
	TICKWORK_CHAOS=long $(RUN)python -m pytest -m "chaos or long" -s --timeout 1800
	TICKWORK_CHAOS=long $(RUN)python -m pytest $(PARALLEL) tests/unit

# What speaks to the broker, and what kills it. Starts a RabbitMQ of its own, or uses the one of RABBITMQ_URL.
rabbitmq: .venv/.locked  ## the queues' tests with RabbitMQ as the broker
	TICKWORK_TEST_BROKER=rabbitmq $(RUN)python -m pytest -m "not bench and not long" $(addprefix tests/, \
		unit/local/test_broker_url.py \
		$(addprefix integration/, ledger/test_envelope.py ledger/test_rabbitmq.py ledger/test_ledger.py ledger/test_queues.py \
			ledger/test_batches.py upkeep/test_canary.py scheduler/test_relay.py workers/test_worker_processes.py \
			alerts/test_receiver_alerts.py alerts/test_receiver_refusals.py) \
		system/test_up.py chaos/test_poison.py chaos/test_faults.py chaos/test_random_kills.py)

clean:                   ## forget the installation, keep the state
	rm -rf .venv .uv .clients

.venv/.locked: uv.lock pyproject.toml $(UV)
	@echo "Installing the packages of uv.lock into .venv, with PostgreSQL and Valkey: about a minute the first time."
	@$(UV) sync --quiet --frozen --all-extras --compile-bytecode --python $(PYTHON)
	@touch $@

.venv/.peers: .venv/.locked
	@echo "Installing what the benchmarks compare with into .venv."
	@$(UV) sync --quiet --frozen --all-extras --group bench --compile-bytecode --python $(PYTHON)
	@touch $@

# Other people's clients of the venue, which tests/clients run. Where they cannot be installed, it says why, their tests
# are skipped with that reason, and the next run tries again.
.clients/.installed: .venv/.locked tests/clients/install.py $(addprefix tests/clients/, python/uv.lock node/package-lock.json)
	@$(RUN)python tests/clients/install.py $(UV)

$(UV): .uv-requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tickwork needs Python 3.11 or newer; say which: make PYTHON=python3.13")'
	@echo "Installing the package manager uv into .uv: a few seconds."
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r .uv-requirements.txt
	@touch $@
