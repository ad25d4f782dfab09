/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU of a domain. It serves the domain's disks in QEMU's formats, shared folders, framebuffer, keyboard, and
 * all consoles except the first. For an HVM domain it is also the device model: it emulates the devices of a PC. A
 * domain has at most one QEMU. A PV or PVH domain gets a QEMU when a device needs it. An HVM domain gets a QEMU only
 * at its creation.
 *
 * The library makes the listening socket of an HVM domain's monitor, and QEMU inherits it. So the library can connect
 * before QEMU runs. The first answer shows that QEMU is ready. The connection ends when QEMU ends.
 *
 * QEMU is not a child of this process. It continues after this process has ended. The domain's node
 * device-model-pid has QEMU's process id. Other toolstacks use this node, too. Before the library uses a
 * process id, it checks that the command line of the process names the domain.
 *
 * Call all functions with the context locked. Strings lie in the memory of the operation.
 */
#ifndef LIBXL__QEMU_H
#define LIBXL__QEMU_H

#include "await.h"
#include "child.h"
#include "worker.h"

#define LIBXL__QEMU_PROGRAM "/usr/libexec/xen-qemu-system-i386"
#define LIBXL__QEMU_PID     "/local/domain/%u/image/device-model-pid"
#define LIBXL__QEMU_NODES   "/local/domain/0/device-model/%u"
/*
 * Like LIBXL__QEMU_PID and LIBXL__QEMU_NODES, for a QEMU in a driver domain. The arguments are the domids of the
 * driver domain and of the guest.
 */
#define LIBXL__QEMU_PID_IN   "/local/domain/%u/libxl/%u/qdisk-backend-pid"
#define LIBXL__QEMU_NODES_IN "/local/domain/%u/device-model/%u"
#define LIBXL__QEMU_ROOT     "/var/run/xen/qemu-root-%u" /* the empty root directory of a restricted QEMU */

enum { LIBXL__QEMU_WORDS = 400, LIBXL__QEMU_PATH = 256, LIBXL__QEMU_ARGUMENTS = 400 };
/* The number of the descriptor of the monitor's listening socket in QEMU. */
enum { LIBXL__QEMU_LISTENER = 3 };
/* The number of the descriptor in QEMU from which it reads the state of its devices. */
enum { LIBXL__QEMU_INCOMING = 4 };

/* The QEMU of a saved HVM domain. */
typedef struct libxl__qemu_saved {
    int fd;            /* QEMU reads the state of its devices from this descriptor, which the caller closes */
    const char *nodes; /* pairs of a key below LIBXL__QEMU_NODES and a value, each with a terminating zero */
    size_t nodes_size;
} libxl__qemu_saved;

/*
 * A process that is not a child of this process, and its pidfd. Embed this in the operation's state;
 * zero-initialise it.
 */
typedef struct libxl__process {
    libxl__source source; /* fires when the process has ended */
    libxl__fd exited;     /* the registration of the pidfd, which this structure owns */
    bool running;
    /* An input: the number of the process group that the process leads; 0: the process leads no group. */
    pid_t group;
} libxl__process;

/*
 * qemu_process.c: follows a process by its pidfd. The structure takes ownership of the pidfd. Returns 0 or
 * FAIL, recorded in ao. After an error the pidfd is closed.
 */
int libxl__process_follow(libxl__ao *ao, libxl__process *process, int pidfd);
/*
 * Sends a signal to a followed process, and to all processes of the group that it leads. Does nothing if the process
 * has ended, because another group may then have the number.
 */
void libxl__process_signal(const libxl__process *process, int number);

/* A job that concerns a QEMU. A worker runs it, because its calls on files and on /proc may block. */
typedef struct libxl__qemu_job {
    libxl__job job; /* the job for the worker; must be first, because the worker gets its address */
    char log[LIBXL__QEMU_PATH];
    const char *program; /* the path of QEMU */
    bool listens;        /* an input: QEMU gets the listening socket of its monitor */
    /*
     * An input: QEMU runs as this user, in an empty root directory; NULL: QEMU runs as the user of this
     * process.
     */
    const char *user;
    bool refused; /* a result: there is no such user, or the user is root */
    uint32_t domid;
    pid_t pid;
    /*
     * The result of libxl__qemu_find: the number of the process group that QEMU leads; 0: QEMU leads no
     * group.
     */
    pid_t group;
    int errnoval; /* the result of the job: 0 or an errno */
    int listener; /* the result: the listening socket, which the caller closes; 0: none */
    /* The result: the descriptor of a log file, or a pidfd; the caller closes it; -1: no descriptor. */
    int fd;
    char words[LIBXL__QEMU_WORDS];
} libxl__qemu_job;

/*
 * The next four functions are values of `job.work`. libxl__qemu_prepare renames older log files, opens a new log
 * file, and removes the sockets of an earlier QEMU. It makes the listening socket if `listens` is set, and the root
 * directory if `user` is set.
 */
void libxl__qemu_prepare(libxl_ctx *ctx, libxl__job *job);
/*
 * Opens a pidfd of the process `pid` if this process is the domain's QEMU. The result ESRCH: the process is not the
 * domain's QEMU, or has ended.
 */
void libxl__qemu_find(libxl_ctx *ctx, libxl__job *job);
/* Reads the last lines of the log file into `words`, and escapes them. Stores "" if the log is empty. */
void libxl__qemu_read_words(libxl_ctx *ctx, libxl__job *job);
/* Removes the sockets and the root directory of the domain's QEMU. */
void libxl__qemu_clean(libxl_ctx *ctx, libxl__job *job);

/*
 * qemu_arguments.c: returns QEMU's command line, which ends with NULL. `megabytes` is the domain's memory
 * without that of its graphics card. `config` NULL: QEMU serves a PV or PVH domain, and gets no framebuffer
 * and no channels. `restores`: an HVM domain's QEMU reads the state of its devices first. Returns NULL if there is no
 * memory, or if there are too many arguments.
 */
const char *const *libxl__qemu_arguments(libxl__ao *ao, uint32_t domid, const char *name,
                                         unsigned long megabytes, const libxl_domain_config *config,
                                         bool restores);
/*
 * Like libxl__qemu_arguments, for a QEMU in a driver domain. This QEMU serves disks and shared folders of the guest
 * `domid`.
 */
const char *const *libxl__qemu_backend_arguments(libxl__ao *ao, uint32_t domid);
/*
 * Writes the path of the node with QEMU's process id. `server` is the domain in which QEMU runs: 0, or a driver
 * domain.
 */
void libxl__qemu_pid_path(char path[LIBXL__QEMU_PATH], uint32_t server, uint32_t domid);
/* Returns the path of QEMU; `config` may be NULL. */
const char *libxl__qemu_program(const libxl_domain_config *config);
/* Returns whether a domain with this configuration needs a QEMU in this domain. */
bool libxl__qemu_is_needed(const libxl_domain_config *config);
/* qemu_hvm.c: returns whether QEMU emulates the disk of an HVM domain as an IDE or AHCI disk. */
bool libxl__qemu_is_ide(const libxl_domain_config *config, const libxl_device_disk *disk);
/* qemu_hvm.c: returns QEMU's name of a format, for example "vpc". A format that is not known is raw. */
const char *libxl__qemu_format(libxl_disk_format format);
/* QEMU's name of an emulated CD drive. The argument is the number of xen-vbd-interface(7). */
#define LIBXL__QEMU_DRIVE "ide-%d"

/*
 * The start of a QEMU. Embed it in the operation's state; zero-initialise it, then set the members above the
 * empty line.
 */
typedef struct libxl__qemu_start {
    uint32_t domid;
    /*
     * The domid of the domain in which this process runs. A number other than 0 means a driver domain. A driver
     * domain knows only the backends of the guest, so `uuid`, `config` and `saved` are not used.
     */
    uint32_t server;
    const libxl_uuid *uuid;
    /*
     * The domain's configuration, which must be valid until the start is done. NULL: the domain exists
     * already.
     */
    const libxl_domain_config *config;
    /*
     * The saved state of an HVM domain's QEMU, which must be valid until the start is done. NULL: QEMU starts without
     * a saved state.
     */
    const libxl__qemu_saved *saved;

    enum {
        LIBXL__QEMU_LOOKING,
        LIBXL__QEMU_FINDING,
        LIBXL__QEMU_PREPARING,
        LIBXL__QEMU_LAUNCHING,
        LIBXL__QEMU_IDENTIFYING,
        LIBXL__QEMU_ANNOUNCING,
        LIBXL__QEMU_STARTING,
        LIBXL__QEMU_FAILING,
    } step;
    bool begun;
    libxl__qemu_job job;
    libxl__xs_batch *batch;
    libxl__xs_request *pid_node, *name_node, *memory_node, *type_node;
    bool hvm;      /* the domain is HVM. Valid once the nodes were read */
    bool launched; /* this start has launched QEMU; false: QEMU ran already */
    libxl__child launcher;
    /* The reading end of a pipe. The launcher writes QEMU's process id to the pipe. 0: there is no pipe. */
    int told;
    const char *const *arguments;
    libxl__process process;
    libxl__await running;
    enum { LIBXL__QEMU_KEPT, LIBXL__QEMU_DYING, LIBXL__QEMU_CLEANING, LIBXL__QEMU_GONE } undoing;
} libxl__qemu_start;

/*
 * qemu_start.c: start the domain's QEMU unless it runs already, and wait until QEMU reports that it runs. There is no
 * wait for the QEMU of an HVM domain, which reports this by QMP. Call these from a phase's start and poll. Errors,
 * recorded in ao: FAIL (QEMU cannot be started, or has ended; the message has its last lines), DOMAIN_DESTROYED,
 * PERMISSION, NOMEM, and those of libxl__xs_run. There is no time limit.
 */
int libxl__qemu_start_begin(libxl__ao *ao, libxl__qemu_start *start);
int libxl__qemu_start_poll(libxl__ao *ao, libxl__qemu_start *start);
/*
 * Call this if QEMU has ended after its start. Afterwards libxl__qemu_start_poll fails with the last lines of
 * QEMU's log. Returns 0 or FAIL.
 */
int libxl__qemu_start_explain(libxl__ao *ao, libxl__qemu_start *start);
/*
 * Ends the QEMU that this start has launched. Call this from a phase's undo, and return the function's
 * result.
 */
int libxl__qemu_start_undo(libxl__ao *ao, libxl__qemu_start *start);

/*
 * The search for the process of a QEMU, by a worker. Embed this in the operation's state; zero-initialise it. If the
 * operation ends before the search, the worker closes the pidfd that it opens.
 */
typedef struct libxl__qemu_search {
    libxl__source source; /* attached while `job` exists */
    libxl__qemu_job *job; /* can outlive the operation; NULL: there is no search */
} libxl__qemu_search;

/*
 * Starts a search, and stops an earlier one. Returns LIBXL__AO_WAIT, NOMEM or FAIL. The operation is woken when the
 * search has ended.
 */
int libxl__qemu_search_start(libxl__ao *ao, libxl__qemu_search *search, uint32_t domid, pid_t pid);
static inline bool libxl__qemu_search_done(const libxl__qemu_search *search)
{
    return search->job->job.state == LIBXL__JOB_DONE;
}
/* Ends a search that is done. Returns the pidfd, which the caller closes, or -1. */
int libxl__qemu_search_take(libxl_ctx *ctx, libxl__qemu_search *search);

/* The ending of a domain's QEMU. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__qemu_end {
    uint32_t server; /* an input: the domid of the domain in which QEMU runs: 0, or a driver domain */
    enum { LIBXL__QEMU_SEARCHED, LIBXL__QEMU_ENDING, LIBXL__QEMU_SWEPT } step;
    libxl__qemu_search search;
    libxl__qemu_job job; /* the job that removes QEMU's files */
    libxl__process process;
    libxl__alarm patience;
    bool killed;
    libxl__xs_batch *batch;
} libxl__qemu_end;

/*
 * qemu_end.c: end the QEMU of a domain whose node device-model-pid holds `pid`, and remove its nodes and
 * sockets. Call these from a phase's start and poll. First a signal asks QEMU to end. QEMU then writes its
 * cached data and ends. If QEMU has not ended after 10 s, it is killed. Errors: NOMEM, FAIL, and those of
 * libxl__xs_run.
 */
int libxl__qemu_end_begin(libxl__ao *ao, libxl__qemu_end *end, uint32_t domid, pid_t pid);
int libxl__qemu_end_poll(libxl__ao *ao, libxl__qemu_end *end);

#endif
