# SPDX-License-Identifier: LGPL-2.1-or-later
# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

include src/Makefile.inc
include sim/Makefile.inc
include vm/Makefile.inc

.PHONY: all
all: lib
