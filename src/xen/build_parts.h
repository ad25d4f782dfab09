/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Types and functions that the files of the domain builder (build*.c) share. All functions are called on the
 * worker that runs the build, unlocked.
 */
#ifndef LIBXL__BUILD_PARTS_H
#define LIBXL__BUILD_PARTS_H

#include "build.h"
#include "errno_rc.h"

struct xc_dom_image;

/*
 * A logger for libxenctrl and libxenguest. It passes every message to the context's logger. It also keeps the
 * text of the first error, because the first error names the cause. The last error is often only "no loader
 * found".
 */
typedef struct libxl__build_log {
    xentoollog_logger logger; /* must be first, because the libraries pass its address to the callbacks */
    xentoollog_logger *outer;
    char first[256]; /* the first error, without file, line and function; empty: no error */
} libxl__build_log;

/* A kernel or ramdisk, copied into memory. */
typedef struct libxl__build_file {
    const char *field; /* the name of the configuration's field that contains the file's path; for messages */
    const char *path;
    void *data;
    size_t size;
} libxl__build_file;

/* A build in progress. It is on the stack of the worker; build.c owns it. */
typedef struct libxl__builder {
    libxl__build *build;
    xc_interface *xch;
    /* The domain is PVH or HVM, so the hypervisor translates its addresses. False: the domain is PV. */
    bool translated;
    bool hvm;       /* the domain is HVM: hvmloader and a device model make a whole PC */
    unsigned nodes; /* the number of NUMA nodes of the host */
    libxl__build_log log;
    libxl__build_file kernel, ramdisk;
    libxl__build_file firmware, acpi, smbios; /* read for an HVM domain only */
    const char *cmdline;                      /* the kernel's command line; NULL: none */
} libxl__builder;

/* ---- build.c */

/* Stores the error message of the build in build->message. Returns rc. Takes the context's lock. */
int libxl__build_fail(libxl__build *build, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Like libxl__build_fail, for a call that has failed with errno. The message is `what` and errno's text. Returns
 * the error that libxl__errno_rc gives for this kind of call.
 */
int libxl__build_fail_errno(libxl__build *build, libxl__call call, const char *what);
/* Returns ABORTED if the operation has set `cancel`, otherwise 0. */
int libxl__build_cancelled(libxl__build *build);

/* ---- build_host.c */

/*
 * Checks that the host can run the domain and has enough free memory. Sets the members of `create` that
 * depend on the host; `create` must be zero-initialised. Errors: NI (the message names the missing
 * capability), NO_IOMMU, INVAL, NO_MEMORY_FOR_GUEST, and those of libxl__errno_rc for the hypercall.
 */
int libxl__build_ask_host(libxl__builder *b, struct xen_domctl_createdomain *create);

/* ---- build_reset.c */

/* Carries out the part RESET. Returns 0 or the job's error. */
int libxl__build_reset(libxl__builder *b);

/* ---- build_settings.c */

/* Sets the members of `create` that depend on the configuration. Call this after libxl__build_ask_host. */
void libxl__build_set_limits(const libxl__build *build, struct xen_domctl_createdomain *create);
/* Applies the configuration's settings to a domain that was made. Returns 0 or the job's error. */
int libxl__build_settings(libxl__builder *b);

/* ---- build_e820.c */

/* Gives a PV guest a memory map with the holes of the host. Returns 0 or the job's error. */
int libxl__build_e820(libxl__builder *b);

/* ---- build_place.c */

/*
 * Chooses the nodes and processors of a domain that was made. Call this before the domain's memory is filled.
 * Returns 0 or the job's error.
 */
int libxl__build_place(libxl__builder *b);

/* ---- build_log.c */

/* Sets up the logger of a build. `outer` is the logger of the context. */
void libxl__build_log_open(libxl__build_log *log, xentoollog_logger *outer);

/* ---- build_file.c */

/*
 * Reads a file into memory. Call libxl__build_file_free afterwards, also after an error. Errors: KERNEL (the file is
 * missing, empty, not regular, too large, or was changed while it was read), NOMEM, FAIL (the process has no free
 * descriptor), ABORTED.
 */
int libxl__build_file_read(libxl__build *build, libxl__build_file *file, const char *field, const char *path);
/*
 * Like libxl__build_file_read, for a file that is open already. The caller sets file->field and file->path
 * before the call, and closes the descriptor afterwards.
 */
int libxl__build_file_read_open(libxl__build *build, libxl__build_file *file, int fd);
/* Frees the copy of a file. Does nothing if nothing was read. */
void libxl__build_file_free(libxl__build_file *file);

/* ---- build_kernel.c */

/*
 * Returns the reason why libxenguest cannot load this kernel into a domain of this type. The returned string
 * is a literal, or is in `text`.
 */
const char *libxl__build_why_refused(const void *data, size_t size, bool pvh, char text[128]);

/* ---- build_hvm.c, for HVM domains. The functions return 0 or the job's error. */

/* Reads hvmloader, the firmware and the configuration's tables. */
int libxl__build_hvm_read(libxl__builder *b);
/* Sets those HVM_PARAM_* of the domain that depend on the configuration. */
int libxl__build_hvm_params(libxl__builder *b);
/* Sets up the guest's memory and memory map, and the modules beside hvmloader. Returns 0 or an errno. */
int libxl__build_hvm_memory(libxl__builder *b, struct xc_dom_image *dom);
/* Completes the page that describes the machine to hvmloader. Stores the addresses of the tables. */
int libxl__build_hvm_inform(libxl__builder *b, const struct xc_dom_image *dom);

/* ---- build_image.c */

/* Loads the kernel and the ramdisk into the domain and makes the domain ready to run. Returns 0 or the job's error. */
int libxl__build_image(libxl__builder *b);

/* ---- build_memory.c */

/*
 * Sets up a PVH guest's memory map and ACPI tables. Returns 0 or an errno. The caller frees dom->e820 and
 * dom->acpi_modules[0].data, also after an error.
 */
int libxl__build_pvh_memory(xc_interface *xch, struct xc_dom_image *dom, uint32_t domid, uint64_t target_kb,
                            uint64_t max_kb, int vcpus);

#endif
