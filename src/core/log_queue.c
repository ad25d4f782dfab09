/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue of log messages (libxl_log.h).
 *
 * Owns: the queued messages, until libxl_log_queue_take; then they belong to the application. The queue's own mutex
 * guards them. The logger is called with and without the lock of a context, so nothing here takes that lock.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 2048 }; /* longer messages are cut */

struct kept {
    libxl_log_message message; /* must be first, because the application frees a message by its address */
    STAILQ_ENTRY(kept) link;
    char strings[]; /* the strings of the members `text` and `source` of `message` */
};

struct libxl_log_queue {
    xentoollog_logger logger; /* must be first, because the libraries pass its address to the callbacks */
    pthread_mutex_t mutex;
    STAILQ_HEAD(, kept) messages;
    unsigned count, capacity;
    uint64_t dropped;
    atomic_int level;
    int fd; /* an eventfd; its counter is 1 while messages are queued */
};

static void add(libxl_log_queue *queue, struct kept *kept)
{
    pthread_mutex_lock(&queue->mutex);
    const bool fits = kept && queue->count < queue->capacity;
    if (fits) {
        STAILQ_INSERT_TAIL(&queue->messages, kept, link);
        if (!queue->count++)
            eventfd_write(queue->fd, 1);
    } else {
        queue->dropped++;
    }
    pthread_mutex_unlock(&queue->mutex);
    if (!fits)
        free(kept);
}

static struct kept *make(const char *line, const char *source)
{
    const size_t text_size = libxl__escape(NULL, 0, line) + 1, source_size = strlen(source) + 1;
    struct kept *kept = malloc(sizeof(*kept) + text_size + source_size);
    if (!kept)
        return NULL;
    libxl__escape(kept->strings, text_size, line);
    memcpy(kept->strings + text_size, source, source_size);
    kept->message = (libxl_log_message){.text = kept->strings, .source = kept->strings + text_size};
    return kept;
}

static void note(struct xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                 const char *format, va_list al)
{
    libxl_log_queue *queue = (libxl_log_queue *)logger;
    const int saved = errno;
    char line[LINE], words[128];
    if ((int)level < atomic_load(&queue->level))
        return;
    vsnprintf(line, sizeof(line), format, al);
    size_t length = strlen(line);
    while (length && line[length - 1] == '\n')
        line[--length] = 0;
    if (errnoval >= 0)
        snprintf(line + length, sizeof(line) - length, ": %s", strerror_r(errnoval, words, sizeof(words)));
    struct kept *kept = make(line, context ? context : "");
    if (kept) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        const libxl__log_subject *about = libxl__log_about();
        kept->message.operation = about->operation;
        kept->message.domid = about->number;
        kept->message.level = (int)level;
        kept->message.errnoval = errnoval;
        kept->message.time_ns = LIBXL__SECONDS((uint64_t)now.tv_sec) + (uint64_t)now.tv_nsec;
    }
    add(queue, kept);
    errno = saved;
}

/* Progress reports of long calls are not kept. */
static void ignore_progress(struct xentoollog_logger *logger, const char *context, const char *doing_what,
                            int percent, unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void destroy_nothing(struct xentoollog_logger *logger)
{
    (void)logger;
}

int libxl_log_queue_alloc(libxl_log_queue **queue_out, int level, unsigned capacity)
{
    *queue_out = NULL;
    if (!capacity)
        return libxl__refuse(ERROR_INVAL, "capacity: 0");
    libxl_log_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_log_queue_alloc");
    queue->logger =
        (xentoollog_logger){.vmessage = note, .progress = ignore_progress, .destroy = destroy_nothing};
    queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->fd < 0) {
        libxl__refuse(ERROR_FAIL, "eventfd: %m");
        free(queue);
        return ERROR_FAIL;
    }
    pthread_mutex_init(&queue->mutex, NULL);
    STAILQ_INIT(&queue->messages);
    queue->capacity = capacity;
    atomic_init(&queue->level, level);
    *queue_out = queue;
    return 0;
}

void libxl_log_queue_free(libxl_log_queue *queue)
{
    struct kept *kept;
    if (!queue)
        return;
    while ((kept = STAILQ_FIRST(&queue->messages))) {
        STAILQ_REMOVE_HEAD(&queue->messages, link);
        free(kept);
    }
    close(queue->fd);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

xentoollog_logger *libxl_log_queue_logger(libxl_log_queue *queue)
{
    return &queue->logger;
}

void libxl_log_queue_set_level(libxl_log_queue *queue, int level)
{
    atomic_store(&queue->level, level);
}

int libxl_log_queue_fd(const libxl_log_queue *queue)
{
    return queue->fd;
}

libxl_log_message *libxl_log_queue_take(libxl_log_queue *queue)
{
    eventfd_t counter;
    pthread_mutex_lock(&queue->mutex);
    struct kept *kept = STAILQ_FIRST(&queue->messages);
    if (kept) {
        STAILQ_REMOVE_HEAD(&queue->messages, link);
        if (!--queue->count)
            eventfd_read(queue->fd, &counter);
    }
    pthread_mutex_unlock(&queue->mutex);
    return kept ? &kept->message : NULL;
}

void libxl_log_message_free(libxl_log_message *message)
{
    free(message);
}

uint64_t libxl_log_queue_dropped(libxl_log_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    const uint64_t dropped = queue->dropped;
    queue->dropped = 0;
    pthread_mutex_unlock(&queue->mutex);
    return dropped;
}
