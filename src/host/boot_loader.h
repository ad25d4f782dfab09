/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot loader: a program of the host, such as pygrub, that reads a guest's disk and chooses the guest's kernel. It copies the
 * kernel and the ramdisk into a directory, and writes a reply that names them.
 *
 * The directory is /var/lib/xen/bootloader.DOMID.d, and the reply bootloader.DOMID.out beside it, as with libxl.
 */
#ifndef LIBXL__BOOT_LOADER_H
#define LIBXL__BOOT_LOADER_H

#include <stdarg.h>

#include "ao.h"
#include "child.h"
#include "terminal.h"

enum { LIBXL__BOOT_LOADER_WHY = 512 };

/* A boot loader's run. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__boot_loader {
    const char *name; /* as configured: a path, or a name to be looked for */
    char directory[64], output[64];
    bool prepared; /* the directory and the reply's file exist */
    libxl__terminal terminal;
    libxl__child child;
    /* The reply. The descriptors are open for reading; -1: none. The strings lie in `reply`; NULL: none. */
    int kernel_fd, ramdisk_fd;
    const char *kernel, *ramdisk, *cmdline;
    char *reply;                      /* malloc'ed */
    char why[LIBXL__BOOT_LOADER_WHY]; /* the reason of the last failure */
} libxl__boot_loader;

/*
 * Called on a worker, unlocked. Makes the directory and the empty file of the reply, and opens the terminal. What a predecessor
 * with this domid has left is removed. Call libxl__boot_loader_clean afterwards, also after an error. Errors: FAIL, with `why`.
 */
int libxl__boot_loader_prepare(libxl__boot_loader *loader, const char *name, uint32_t domid);

/* The arguments and what they are about; unset ones are NULL. */
typedef struct libxl__boot_loader_job {
    const char *kernel, *ramdisk, *cmdline; /* of the configuration: hints for the boot loader */
    char *const *args;                      /* ended by NULL; NULL: none */
    const char *disk;                       /* the image file or the block device */
    unsigned version;                       /* the hypervisor's, major << 16 | minor */
} libxl__boot_loader_job;

/* Call it with the context locked. Starts the boot loader on its terminal. Errors: KERNEL, NOMEM, recorded in ao. */
int libxl__boot_loader_start(libxl__ao *ao, libxl__boot_loader *loader, const libxl__boot_loader_job *job);

/* Call it with the context locked, once loader->child.done is set. Closes the terminal. Returns 0 if the boot loader has
 * succeeded. Errors: KERNEL, with the boot loader's last words, recorded in ao. */
int libxl__boot_loader_result(libxl__ao *ao, libxl__boot_loader *loader);

/*
 * Called on a worker, unlocked. Reads the reply and opens the files that it names. A file outside of the directory is refused.
 * Errors: KERNEL, NOMEM, with `why`.
 */
int libxl__boot_loader_read(libxl__boot_loader *loader);

/* Called on a worker, unlocked. Removes the directory with all that is in it, and the reply's file. */
void libxl__boot_loader_clean(libxl__boot_loader *loader);
/* Closes the descriptors and frees the reply. Needs no lock. */
void libxl__boot_loader_free(libxl__boot_loader *loader);

#endif
