# make run    build and boot the example web service, show its answer
# make test   all checks; TESTS=tests/unit for some of pytest's
# make malformed    a minute of malformed packets to each of the network examples
# All set the machine up first (.ci/setup.py); the second time that takes no time.

PYTHON ?= python3
BIN := .venv/bin
TESTS ?=
C_FILES := $(shell git ls-files 'runtimes/*.c' 'runtimes/*.h' 'tests/*.c' 'tests/*.h')

.PHONY: run test malformed check ruff mypy format tidy clean

run:
	@$(PYTHON) .ci/setup.py run
	@$(BIN)/python examples/tour.py

test:
	@$(PYTHON) .ci/setup.py test
	@$(BIN)/python .ci/test.py $(TESTS)

malformed:
	@$(PYTHON) .ci/setup.py test
	@UNIKIT_MALFORMED_SECONDS=60 $(BIN)/python -m pytest -s -k malformed tests/apps/test_network_examples.py

check: ruff mypy format tidy

ruff:
	$(BIN)/ruff check
mypy:
	$(BIN)/mypy
format:
	@$(BIN)/clang-format --dry-run -Werror $(C_FILES) && echo "clang-format: no complaint"
tidy:
	@$(BIN)/python .ci/tidy.py

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache *.egg-info
