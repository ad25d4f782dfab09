# SPDX-License-Identifier: LGPL-2.1-or-later
# Included by the Makefile of an extension that is called NAME: NAME.idl and the *.c beside it become
# build/libNAME.so and the Python package build/python/NAME, against the installed aioxen.
B      ?= build
CC     ?= cc
CFLAGS ?= -O2 -g
PYTHON ?= /usr/bin/python3

AIOXEN_SHARE   := $(shell pkg-config --variable=sharedir aioxen)
AIOXEN_INCLUDE := $(shell pkg-config --variable=includedir aioxen)

EXTENSION_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fPIC -pthread -I$(B)/gen/include -I$(B)/gen/src \
	$(shell pkg-config --cflags aioxen json-c) -I$(AIOXEN_INCLUDE)/internal
EXTENSION_LIBS   = $(shell pkg-config --libs aioxen json-c)

.PHONY: all lib python clean
all: lib python
lib: $(B)/lib$(NAME).so
python: $(B)/python/$(NAME)/.built

$(B)/gen/.generated: $(NAME).idl
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(AIOXEN_SHARE) $(PYTHON) -m gen $< --extends $(AIOXEN_SHARE)/idl --out $(B)/gen
	@touch $@

$(B)/lib$(NAME).so: $(B)/gen/.generated $(wildcard *.c)
	$(CC) $(EXTENSION_CFLAGS) $(CPPFLAGS) $(CFLAGS) -shared -Wl,-z,defs -Wl,-z,relro -Wl,-z,now $(LDFLAGS) -o $@ \
		$(filter %.c,$^) $(B)/gen/src/*.c $(EXTENSION_LIBS)

$(B)/python/$(NAME)/.built: $(B)/lib$(NAME).so
	PYTHONDONTWRITEBYTECODE=1 $(PYTHON) $(AIOXEN_SHARE)/python/extension.py $(NAME) $(B)
	@touch $@

clean:
	rm -rf $(B)
