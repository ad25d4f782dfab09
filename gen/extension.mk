# SPDX-License-Identifier: LGPL-2.1-or-later
# Included by the Makefile of an extension that is called NAME. Builds build/libNAME.so and the Python package
# build/python/NAME from NAME.idl and *.c, against the installed aioxen. `make install` installs the library, its headers
# and NAME.pc below PREFIX, and the Python package in PYTHONDIR.
B      ?= build
CC     ?= cc
CFLAGS ?= -O2 -g
PYTHON ?= /usr/bin/python3

AIOXEN_SHARE   := $(shell pkg-config --variable=sharedir aioxen)
AIOXEN_INCLUDE := $(shell pkg-config --variable=includedir aioxen)
ifeq (,$(AIOXEN_SHARE))
$(error pkg-config does not find aioxen: install it, or add the folder of its aioxen.pc to PKG_CONFIG_PATH)
endif

PREFIX    ?= $(shell pkg-config --variable=prefix aioxen)
LIBDIR    ?= lib
PYTHONDIR ?= $(PREFIX)/lib/python$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')/dist-packages

EXTENSION_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fPIC -pthread -MMD -MP -I. -I$(B)/gen/include -I$(B)/gen/src \
	$(shell pkg-config --cflags aioxen json-c) -I$(AIOXEN_INCLUDE)/internal
EXTENSION_LIBS   = $(shell pkg-config --libs aioxen json-c)

.PHONY: all lib python install uninstall clean
all: lib python
lib: $(B)/lib$(NAME).so
python: $(B)/python/$(NAME)/.built

# sources.mk lists the sources that are generated from the IDL. make reads this file again when it has changed.
$(B)/gen/sources.mk: $(NAME).idl $(wildcard $(AIOXEN_SHARE)/idl/*.idl $(AIOXEN_SHARE)/gen/*.py $(AIOXEN_SHARE)/gen/*/*.py)
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(AIOXEN_SHARE) $(PYTHON) -m gen $< --extends $(AIOXEN_SHARE)/idl --out $(B)/gen
	@cd $(B)/gen/src && echo GENERATED := *.c >../sources.mk

ifeq (,$(filter clean uninstall,$(MAKECMDGOALS)))
include $(B)/gen/sources.mk
endif
OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard *.c) $(GENERATED))

$(B)/obj/%.o: %.c $(B)/gen/sources.mk
	@mkdir -p $(@D)
	$(CC) $(EXTENSION_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/obj/_%.o: $(B)/gen/src/_%.c $(B)/gen/sources.mk
	@mkdir -p $(@D)
	$(CC) $(EXTENSION_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/lib$(NAME).so: $(OBJECTS)
	$(CC) -pthread $(CFLAGS) -shared -Wl,-z,defs -Wl,-z,relro -Wl,-z,now $(LDFLAGS) -o $@ $(OBJECTS) $(EXTENSION_LIBS)

$(B)/python/$(NAME)/.built: $(B)/lib$(NAME).so $(wildcard $(AIOXEN_SHARE)/python/*.py)
	PYTHONDONTWRITEBYTECODE=1 $(PYTHON) $(AIOXEN_SHARE)/python/extension.py $(NAME) $(B)
	@touch $@

install: all
	install -d $(addprefix $(DESTDIR),$(PREFIX)/$(LIBDIR)/pkgconfig $(PREFIX)/include $(PYTHONDIR)/$(NAME))
	install -m 755 $(B)/lib$(NAME).so $(DESTDIR)$(PREFIX)/$(LIBDIR)/
	install -m 644 $(B)/gen/include/*.h $(DESTDIR)$(PREFIX)/include/
	printf '%s\n' 'Name: $(NAME)' 'Description: An extension of aioxen' \
		'Version: $(shell pkg-config --modversion aioxen)' 'Requires: aioxen' \
		'Libs: -L$(PREFIX)/$(LIBDIR) -l$(NAME)' 'Cflags: -I$(PREFIX)/include' >$(DESTDIR)$(PREFIX)/$(LIBDIR)/pkgconfig/$(NAME).pc
	install -m 644 $(B)/python/$(NAME)/*.* $(DESTDIR)$(PYTHONDIR)/$(NAME)/

uninstall:
	rm -rf $(DESTDIR)$(PYTHONDIR)/$(NAME)
	rm -f $(DESTDIR)$(PREFIX)/$(LIBDIR)/lib$(NAME).so $(DESTDIR)$(PREFIX)/$(LIBDIR)/pkgconfig/$(NAME).pc
	rm -f $(DESTDIR)$(PREFIX)/include/$(NAME).h $(DESTDIR)$(PREFIX)/include/_$(NAME)_types.h
	rm -f $(DESTDIR)$(PREFIX)/include/_$(NAME)_operations.h

clean:
	rm -rf $(B)

-include $(wildcard $(B)/obj/*.d)
