/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen-transfer: the library's program that saves or restores one domain. libxenguest's calls block for the whole
 * transfer and cannot be stopped, so the library runs them in a process of their own. The program has more than one
 * thread only if the rate of the stream is limited, or if the stream is compressed. Only the handler of SIGTERM
 * interrupts libxenguest's calls. Call all functions on the main thread, unless the comment says otherwise.
 */
#ifndef AIOXEN_TRANSFER_PROGRAM_H
#define AIOXEN_TRANSFER_PROGRAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <xenctrl.h>
#include <xenguest.h>

#include "transfer_messages.h"

enum { CONTROL = 0, STREAM = 1, HEAD = 2 }; /* the program's descriptors */

/* The headers of libxl's stream, version 2 (Xen's docs/specs/libxl-migration-stream.pandoc). */
typedef struct stream_header {
    char magic[8];
    uint32_t version, options; /* both numbers are big-endian */
} stream_header;

typedef struct stream_record {
    uint32_t type, length; /* a body of `length` octets follows, padded to a multiple of 8 */
} stream_record;

enum { RECORD_END, RECORD_LIBXC_CONTEXT, RECORD_XENSTORE_DATA, RECORD_EMULATOR, RECORD_OPTIONAL = 1u << 31 };

#define STREAM_MAGIC "LibxlFmt"

/* ---- main.c */

/* Returns whether SIGTERM has arrived. After SIGTERM every write to STREAM fails. Any thread may call this. */
bool stopped(void);
/* Sends a message. Does nothing if the library's process has ended. */
void send_message(libxl__transfer_message *message);
/*
 * Waits for a message of this kind. Returns false if the library's process has ended, or has sent another
 * message.
 */
bool receive_message(libxl__transfer_kind kind, libxl__transfer_message *message);
/* Returns whether the library's process has ended. */
bool is_alone(void);
/* Sends the result of the program and returns the exit status: 0 for LIBXL__TRANSFER_OK, else 1. */
int report(libxl__transfer_end result, int errnoval, const char *text);
/*
 * Reports a failed call of libxenguest, with libxenguest's first error. `what` names the call. Returns the
 * exit status.
 */
int report_xen(const char *what, int errnoval);

/* Returns the first error that libxenguest has logged, or `otherwise`. */
const char *first_error(const char *otherwise);

/*
 * Write or read `size` octets. Any thread may call these functions. They return false with errno; errno 0: the stream
 * has ended.
 */
bool write_all(int fd, const void *data, size_t size);
bool read_all(int fd, void *data, size_t size);

/* Waits until a thread has ended. Returns false with errno if SIGTERM arrives before the thread has ended. */
bool join_thread(pthread_t thread);

/* ---- pace.c: limits the rate of the stream */

/*
 * From now on at most `rate` octets are written to the descriptor STREAM in a second. STREAM becomes a pipe, and a
 * thread copies from the pipe to the former STREAM. Returns false with errno.
 */
bool pace_begin(uint64_t rate);
/* Removes the limit, so that the rest of the stream is sent at full speed. */
void pace_no_more(void);
/* Waits until the thread has copied all octets. Returns false with errno. Does nothing without pace_begin. */
bool pace_end(void);
/* Returns the errno of the thread's failed write, or 0. */
int pace_error(void);

/* ---- compress.c: compresses the stream that is written */

/*
 * Begins a container in the descriptor STREAM. From now on STREAM is a pipe, from which `threads` threads read and
 * compress. The level is zstd's, from 1 on. Returns false with errno.
 */
bool compress_begin(unsigned threads, int level);
/*
 * Ends the container. STREAM is then the descriptor that it was before compress_begin. Returns false with errno. Does
 * nothing without compress_begin.
 */
bool compress_end(void);
/* Returns the errno of the first failure, or 0. */
int compress_error(void);

/* ---- expand.c: decompresses the stream that is read */

enum { CONTAINER_HEADER = 32 }; /* the size of the container's header */

/* Return whether these are the first octets of a container, and whether the container's version is known. */
bool expand_is_header(const void *octets);
bool expand_is_known(const void *octets);
/*
 * Call this after the container's header was read. STREAM becomes a pipe with the decompressed stream. Returns false
 * with errno.
 */
bool expand_begin(void);
/* Returns the number of octets of the container that were used, or -1 if the stream is not compressed. */
int64_t expand_place(void);
/* If the thread that decompresses has failed, reports this and returns the exit status. Otherwise returns 0. */
int expand_report(void);
/*
 * Checks that the container ends here. Does nothing without expand_begin. Returns NULL, or the reason why the stream is
 * refused. If expand_report also has a reason, prefer the reason of expand_report.
 */
const char *expand_end(void);

/* ---- monitor.c: commands to the QEMU of a domain */

/*
 * Each of these functions connects to QEMU's monitor, and returns whether QEMU has carried the commands out. An answer
 * is awaited for 30 s, or until SIGTERM arrives.
 */
/*
 * Turns QEMU's log-dirty mode on or off. In this mode QEMU records which pages of the guest it writes. QEMU 7.2 aborts
 * if the mode is turned off while it is off.
 */
bool monitor_log_dirty(uint32_t domid, bool enable);
/*
 * Stops QEMU's machine, and lets QEMU write the state of its devices to the descriptor. `live`: QEMU also releases the
 * disks' images, so that another QEMU can use them.
 */
bool monitor_save(uint32_t domid, bool live, int fd);
/* Lets the machine of the domain's QEMU continue (the command `cont`). */
bool monitor_go_on(uint32_t domid);
/* Stores the reason why the device model has failed, unless a reason is stored already. Returns false. */
bool monitor_fail(const char *command, const char *reason);
/* Returns the reason of the first failure, or NULL. */
const char *monitor_error(void);

/* ---- model.c: the state of QEMU in the stream */

/* Stops QEMU, and keeps its state. `live`: as for monitor_save. Returns false after monitor_fail. */
bool model_save(uint32_t domid, bool live);
/* Writes QEMU's records. Returns false with errno, or after monitor_fail. */
bool model_write(uint32_t domid);
/*
 * Read the rest of a record whose head was read. model_read_nodes keeps the nodes in memory, model_read_state writes
 * the state to the file HEAD. Return NULL, or the reason why the record is refused. If the record cannot be read or
 * kept, the reason is "" and errno is set; errno 0: the stream has ended.
 */
const char *model_read_nodes(const stream_record *record);
const char *model_read_state(const stream_record *record);
/* Return whether model_read_state, or model_read_nodes, has read a record. */
bool model_is_read(void);
bool model_has_nodes(void);
/*
 * Appends the nodes that model_read_nodes has kept to the file HEAD. Sends the library the sizes of QEMU's state and
 * of the nodes. Returns false with errno.
 */
bool model_tell(void);

/* ---- save.c, restore.c: run the program. Return the exit status. */
typedef struct save_options {
    uint32_t flags;   /* the flags of xc_domain_save */
    uint64_t rate;    /* the greatest rate of sending, in octets per second; 0: no limit */
    bool has_model;   /* the domain has a device model */
    int level;        /* the level of zstd; 0: the stream is not compressed */
    unsigned threads; /* the number of threads that compress */
} save_options;
int save(xc_interface *xch, uint32_t domid, const save_options *options);
int restore(xc_interface *xch, bool has_head);

#endif
