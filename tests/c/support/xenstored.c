/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: a socket, and a thread that answers on it until the context closes the connection. */
#include "xenstored.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

enum { TIME_LIMIT_MS = 10000 };

static bool receive(xenstored *x, void *to, size_t length)
{
    for (char *at = to; length;) {
        ssize_t got = read(x->connection, at, length);
        if (got <= 0)
            return false;
        at += got;
        length -= (size_t)got;
    }
    return true;
}

/* Sends a message to the context. Does nothing if the context has closed the connection. Caller
 * holds x->lock. */
static void send_message(xenstored *x, struct xsd_sockmsg header, const void *body, size_t length)
{
    char text[sizeof(header) + XENSTORE_PAYLOAD_MAX];
    header.len = (uint32_t)length;
    memcpy(text, &header, sizeof(header));
    memcpy(text + sizeof(header), body, length);
    send(x->connection, text, sizeof(header) + length, MSG_NOSIGNAL);
}

static void refuse(xenstored *x, struct xsd_sockmsg header, const char *error)
{
    header.type = XS_ERROR;
    send_message(x, header, error, strlen(error) + 1);
}

struct event {
    struct xsd_sockmsg header;
    char body[256];
};

static struct event event_of(const char *path, const char *token)
{
    struct event event = {.header.type = XS_WATCH_EVENT};
    int length = snprintf(event.body, sizeof(event.body), "%s%c%s", path, 0, token) + 1;
    event.header.len = (uint32_t)length;
    return event;
}

static void send_event(xenstored *x, const char *path, const char *token)
{
    const struct event event = event_of(path, token);
    send_message(x, event.header, event.body, event.header.len);
}

/* Returns whether the body of a request to set a watch has a third text: the depth 1. */
static bool has_depth(const char *body, size_t length)
{
    const size_t two = strlen(body) + 1 + strlen(body + strlen(body) + 1) + 1;
    return length == two + 2 && strcmp(body + two, "1") == 0;
}

/* Sends an answer with the type and the ids of `header`. Caller holds x->lock. */
static void answer(xenstored *x, struct xsd_sockmsg header, const char *body)
{
    static const char ERRORS[] = "/errors/", CONTENDED[] = "/contended/";
    bool *const contended = &x->contended[header.tx_id % XENSTORED_TRANSACTIONS];
    char text[16];
    if (strncmp(body, CONTENDED, strlen(CONTENDED)) == 0)
        *contended = true;
    if (strncmp(body, ERRORS, strlen(ERRORS)) == 0) {
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(body + strlen(ERRORS), "/"), body + strlen(ERRORS));
        refuse(x, header, text);
        return;
    }
    switch (header.type) {
    case XS_TRANSACTION_START:
        if (++x->open > x->most)
            x->most = x->open;
        snprintf(text, sizeof(text), "%d", ++x->begun);
        send_message(x, header, text, strlen(text) + 1);
        return;
    case XS_TRANSACTION_END:
        x->open--;
        if (x->conflicts || *contended) {
            x->conflicts -= x->conflicts > 0;
            *contended = false;
            refuse(x, header, "EAGAIN");
            return;
        }
        break;
    case XS_READ: send_message(x, header, body, strlen(body)); return;
    case XS_WATCH:
        if (has_depth(body, header.len)) {
            x->depths++;
            if (!x->knows_depth) {
                refuse(x, header, "EINVAL");
                return;
            }
        }
        send_message(x, header, "OK", 3);
        if (x->watches < XENSTORED_WATCHES)
            snprintf(x->tokens[x->watches++], sizeof(x->tokens[0]), "%s", body + strlen(body) + 1);
        send_event(x, body, body + strlen(body) + 1);
        return;
    }
    send_message(x, header, "OK", 3);
}

static void *serve(void *argument)
{
    xenstored *x = argument;
    struct xsd_sockmsg header;
    char body[XENSTORE_PAYLOAD_MAX + 1];
    x->connection = accept(x->listener, NULL, NULL);
    while (receive(x, &header, sizeof(header)) && receive(x, body, header.len)) {
        body[header.len] = '\0';
        pthread_mutex_lock(&x->lock);
        while (x->event_incomplete)
            pthread_cond_wait(&x->event_completed, &x->lock);
        answer(x, header, body);
        pthread_mutex_unlock(&x->lock);
    }
    close(x->connection);
    return NULL;
}

libxl_ctx *xenstored_open(xenstored *x)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/run/aioxen-test-%d", (int)getpid());
    *x = (xenstored){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->event_completed, NULL);
    unlink(address.sun_path);
    assert_int_equal(bind(x->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(x->listener, 1), 0);
    pthread_create(&x->thread, NULL, serve, x);
    setenv("XENSTORED_PATH", address.sun_path, 1);
    libxl_ctx *ctx = core_open();
    ctx->xen = calloc(1, sizeof(*ctx->xen));
    ctx->xen->transport = &libxl__xs_wire;
    assert_int_equal(ctx->xen->transport->open(ctx), 0);
    assert_int_equal(libxl__xs_link_open(ctx, true), 0);
    libxl__fds_mark_internal(ctx);
    unsetenv("XENSTORED_PATH");
    unlink(address.sun_path);
    return ctx;
}

void xenstored_close(xenstored *x, libxl_ctx *ctx)
{
    assert_int_equal(libxl__ctx_drain(ctx), 0);
    assert_int_equal(ctx->loop.descriptors, 0);
    assert_int_equal(ctx->xen->watches.count, 0);
    libxl__xs_link_close(ctx);
    ctx->xen->transport->close(ctx);
    pthread_join(x->thread, NULL);
    close(x->listener);
    assert_true(x->hung_up || !x->open);
    libxl__watches_close(ctx);
    free(ctx->xen);
    libxl__ctx_destroy(ctx);
    pthread_cond_destroy(&x->event_completed);
    pthread_mutex_destroy(&x->lock);
}

void xenstored_event(xenstored *x, const char *path, const char *token)
{
    pthread_mutex_lock(&x->lock);
    send_event(x, path, token);
    pthread_mutex_unlock(&x->lock);
}

void xenstored_event_head(xenstored *x, const char *path, const char *token)
{
    const struct event event = event_of(path, token);
    pthread_mutex_lock(&x->lock);
    x->event_incomplete = true;
    send(x->connection, &event.header, sizeof(event.header), MSG_NOSIGNAL);
    pthread_mutex_unlock(&x->lock);
}

void xenstored_event_body(xenstored *x, const char *path, const char *token)
{
    const struct event event = event_of(path, token);
    pthread_mutex_lock(&x->lock);
    send(x->connection, event.body, event.header.len, MSG_NOSIGNAL);
    x->event_incomplete = false;
    pthread_cond_signal(&x->event_completed);
    pthread_mutex_unlock(&x->lock);
}

void xenstored_hang_up(xenstored *x)
{
    pthread_mutex_lock(&x->lock);
    x->hung_up = true;
    shutdown(x->connection, SHUT_RDWR);
    pthread_mutex_unlock(&x->lock);
}

void xenstored_wait_watches(xenstored *x, int count)
{
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); now_ms() < end; sleep_ms(1)) {
        pthread_mutex_lock(&x->lock);
        int set = x->watches;
        pthread_mutex_unlock(&x->lock);
        if (set >= count)
            return;
    }
    fail_msg("%d watches were not set", count);
}

/* ---- the operation that runs a batch */

struct batching {
    void (*fill)(libxl__xs_batch *batch);
    libxl__xs_mode mode;
};

static int run_batch(libxl__ao *ao, void *state)
{
    const struct batching *b = core_user(ao);
    libxl__xs_batch **batch = state;
    if (*batch)
        return libxl__xs_done(*batch) ? libxl__xs_result(*batch) : LIBXL__AO_WAIT;
    *batch = libxl__xs_batch_new(ao, 1);
    if (!*batch)
        return ERROR_NOMEM;
    b->fill(*batch);
    int rc = libxl__xs_run(*batch, b->mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

CORE_PHASE(batch, run_batch, libxl__xs_batch *);
static const libxl__ao_class batch_class = {
    .name = "batch", .phases = &batch_phases, .args_size = sizeof(void *), .slow = true};

int xenstored_run(libxl_ctx *ctx, void (*fill)(libxl__xs_batch *batch), libxl__xs_mode mode, char **message)
{
    struct batching b = {.fill = fill, .mode = mode};
    int rc = core_begin(ctx, &batch_class, &b, NULL);
    if (message)
        *message = strdup(libxl_error_message());
    return rc;
}
