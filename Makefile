# make run    build and boot the example web service, show its answer
# make test   all checks; TESTS=tests/unit for some of pytest's
# Both set the machine up first (.ci/setup.py); the second time that takes no time.

PYTHON ?= python3
BIN := .venv/bin
TESTS ?= tests/unit tests/runtime tests/boot tests/apps
C_FILES := $(shell git ls-files 'runtimes/*.c' 'runtimes/*.h' 'tests/*.c' 'tests/*.h')

.PHONY: run test check ruff mypy format tidy clean

run:
	@$(PYTHON) .ci/setup.py run
	@$(BIN)/python examples/tour.py

# Every check is made even where one before it complains; the last line is pytest's.
test:
	@$(PYTHON) .ci/setup.py test
	@status=0; $(MAKE) --no-print-directory -k check || status=1; \
	$(BIN)/python -m pytest $(TESTS) || status=1; exit $$status

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
