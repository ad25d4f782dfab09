/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A logger that keeps the messages until the program takes them. Included by libxl.h.
 *
 * The library calls a logger on any thread, also while it holds a context's lock. So a logger must be quick,
 * and must not call the library. A program whose own log is slow, or is bound to one thread, passes the logger
 * of a queue to libxl_ctx_alloc, watches the queue's descriptor, and takes the messages when it is readable.
 */
#ifndef LIBXL_LOG_H
#define LIBXL_LOG_H

#include <stdint.h>

#include <xentoollog.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct libxl_log_queue libxl_log_queue;

/* One message. libxl_log_message_free also frees its strings. */
typedef struct libxl_log_message {
    const char *text;      /* the message in UTF-8, on one line; unprintable octets are escaped as \xNN */
    const char *source;    /* "libxl", or the name of the part of Xen's libraries that has logged it */
    const char *operation; /* the operation that the message is about; NULL: none, or it is not known */
    uint32_t domid;        /* the domain of this operation; ~0: none */
    int level;             /* a xentoollog_level */
    int errnoval;          /* the errno whose description ends the text; -1: none */
    uint64_t time_ns;      /* when it was logged, on the clock CLOCK_REALTIME, in nanoseconds */
} libxl_log_message;

/*
 * Makes a queue for at most `capacity` messages of the level `level` (a xentoollog_level) and higher levels.
 * The caller frees it with libxl_log_queue_free, after the contexts that log to it. Returns 0, or an error:
 * INVAL (capacity is 0), NOMEM, FAIL (there is no descriptor).
 */
int libxl_log_queue_alloc(libxl_log_queue **queue_out, int level, unsigned capacity);
/* Frees a queue and its messages. NULL is allowed. No other thread may use the queue. */
void libxl_log_queue_free(libxl_log_queue *queue);

/* Returns the logger that fills the queue. It lives as long as the queue. Any number of contexts may use it. */
xentoollog_logger *libxl_log_queue_logger(libxl_log_queue *queue);

/* Sets the lowest level of the messages that are kept from now on. Any thread may call this function. */
void libxl_log_queue_set_level(libxl_log_queue *queue, int level);

/*
 * Returns a descriptor that is readable (level-triggered) while messages are queued. It belongs to the queue.
 * Never read it or close it.
 */
int libxl_log_queue_fd(const libxl_log_queue *queue);

/*
 * Takes the oldest message. The caller frees it with libxl_log_message_free. Never blocks. Returns NULL if no
 * message is queued. Any thread may call this function.
 */
libxl_log_message *libxl_log_queue_take(libxl_log_queue *queue);
/* Frees a message. NULL is allowed. */
void libxl_log_message_free(libxl_log_message *message);

/*
 * Returns the number of messages that were dropped since the last call of this function, because the queue was
 * full or because there was no memory. Any thread may call this function.
 */
uint64_t libxl_log_queue_dropped(libxl_log_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
