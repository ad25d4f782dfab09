# SPDX-License-Identifier: LGPL-2.1-or-later
# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := all
MAKEFLAGS     += --no-builtin-rules
B             ?= build
PYTHON        ?= /usr/bin/python3

include src/Makefile.inc
include src/libxl/Makefile.inc
include sim/Makefile.inc
include vm/Makefile.inc
include gen/Makefile.inc
-include bindings/Makefile.inc
-include tests/Makefile.inc
-include bench/Makefile.inc

.PHONY: all help try demo test test-fast test-packages deb lint analyze clean
all: lib python examples ## the C library, the Python package, the examples

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

# Installs the packages that a target needs, and then runs a second make, which sees the installed files.
INSTALLED = @tools/install-packages $(1) && $(MAKE) --no-print-directory -j$$(nproc)

try: ## installs what is missing, builds, and opens a shell on a simulated Xen machine
	$(call INSTALLED,build) -s all guest sim && B=$(abspath $(B)) PYTHON=$(PYTHON) tools/try

demo: ## installs what is missing, builds, and shows guests on a real Xen
	$(call INSTALLED,build) -s all guest sim && PYTHONPATH=$(B)/python tools/on-xen \
		sh -c '"$$0" examples/lifecycle.py && "$$0" examples/linux_guest.py' $(PYTHON)

test: ## the same set-up, then all tests: on the machine, in the simulated world, on the real Xen
	$(call INSTALLED,build test bench) -s all dropin libvirt guest sim vm tests bench-programs && tests/run

test-fast: ## without the virtual machine
	$(call INSTALLED,build test bench) -s all dropin libvirt guest sim tests bench-programs && tests/run --fast

test-packages: ## Debian's packages, built, installed in a fresh Debian, and tested there
	@tools/install-packages build test deb
	PYTHONPATH=$(B)/python $(PYTHON) -m pytest -q -p no:cacheprovider tests/package/long

deb: ## Debian's packages, in build/deb
	@tools/install-packages build deb
	tools/build-deb $(B)/deb

lint: $(GEN)/.generated python ## formatting, clang-tidy, ruff, mypy, what a changed IDL breaks
	tools/lint

analyze: $(GEN)/.generated ## gcc -fanalyzer and cppcheck over the library's and the Python module's sources
	@tools/install-packages build test
	tools/analyze

clean: ## removes everything that was made
	rm -rf $(B) aioxen.egg-info .hypothesis
