.DEFAULT_GOAL := help
# The oldest Python that will do, or whatever python3 is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
SERVICE_PROTOS := $(wildcard protos/hopfield/v1/*_service.proto)

.PHONY: help bench demo serve test test-long test-deploy lint protos figures clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is newer than pyproject.toml exactly when the environment holds what pyproject.toml asks for.
$(VENV)/.installed: pyproject.toml
	@echo "installing into $(VENV) (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## store ten handwritten digits, corrupt them, recall them over gRPC
	@$(BIN)/python -m hopfield_client.demo

serve: $(VENV)/.installed ## serve on 127.0.0.1:50051 with a private Valkey server
	@$(BIN)/hopfield-server

test: $(VENV)/.installed ## every test
	$(BIN)/python -m pytest

test-long: $(VENV)/.installed ## what takes longer than make test allows
	$(BIN)/python -m pytest -m long --capture=no

test-deploy: $(VENV)/.installed ## the container: built, started, killed, stopped (needs a Docker engine here)
	$(BIN)/python -m pytest -m deploy tests/deploy --capture=no

lint: $(VENV)/.installed ## ruff, mypy --strict, buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/buf lint protos

protos: $(VENV)/.installed ## generate the code beside the .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=protos --python_out=protos --pyi_out=protos protos/hopfield/v1/*.proto
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc --proto_path=protos \
	    --grpc_python_out=protos --mypy_grpc_out=protos $(SERVICE_PROTOS)

bench: $(VENV)/.installed ## measure the core beside numpy, and beside what else is installed: pip install '.[bench]' (a few minutes)
	@$(BIN)/python -m benchmarks

figures: $(VENV)/.installed ## measure and draw the figures of docs/ (about eight minutes)
	@$(BIN)/python -m docs.figures

clean: ## remove everything make made
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find benchmarks client docs protos service tests -name __pycache__ -prune -exec rm -rf {} +
