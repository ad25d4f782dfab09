/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU's command line under construction. qemu_arguments.c adds the words that all QEMUs get, and the words for
 * PV and PVH domains. qemu_hvm.c adds the words for HVM domains. Call all functions with the context locked. The
 * words lie in the memory of the operation.
 */
#ifndef LIBXL__QEMU_WORDS_H
#define LIBXL__QEMU_WORDS_H

#include "_libxl_types_internal.h"
#include "device.h"
#include "qemu.h"

typedef struct libxl__qemu_words {
    libxl__gc *gc;
    const char **words;
    unsigned count;
    bool failed; /* there is no memory, or there are too many words */
} libxl__qemu_words;

/* Add a word, or an option and its formatted value. A `word` NULL means that there was no memory for it. */
void libxl__qemu_word(libxl__qemu_words *w, const char *word);
void libxl__qemu_pair(libxl__qemu_words *w, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Returns a copy of a text with doubled commas, because QEMU splits its arguments at commas. */
const char *libxl__qemu_quoted(libxl__qemu_words *w, const char *text);
/* Adds the VNC server and the window of a screen. `vnc` NULL: there is no VNC server. */
void libxl__qemu_screen(libxl__qemu_words *w, const libxl_vnc_info *vnc, const libxl_sdl_info *sdl,
                        const char *keymap);
/* Returns whether QEMU has a VNC server. As in libxl, it has one by default. */
bool libxl__qemu_has_vnc(const libxl_vnc_info *vnc);

/*
 * qemu_hvm.c: adds the words for an HVM domain, after the words that all QEMUs get. `megabytes` excludes the video
 * memory. `restores`: QEMU reads the state of its devices first.
 */
void libxl__qemu_hvm_words(libxl__qemu_words *w, uint32_t domid, const char *name, unsigned long megabytes,
                           const libxl_domain_config *config, bool restores);

#endif
