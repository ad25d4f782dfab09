/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QMP connection has four steps: QEMU sends a greeting, the capabilities are negotiated, the command is
 * sent, and the answer arrives. QEMU may also send events between these steps. This file ignores the events.
 *
 * Owns: the connection, until the answer has arrived or the operation ends. Locks: the context's lock, held by the
 * caller.
 */
#include "qmp.h"

#include "escape.h"
#include "libxl_internal.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE LIBXL__SECONDS(10)

static const char negotiation[] = "{\"execute\": \"qmp_capabilities\"}\n";

static void disconnect(libxl_ctx *ctx, libxl__source *source)
{
    libxl__qmp *qmp = (libxl__qmp *)source;
    if (!qmp->socket.registered)
        return;
    const int fd = qmp->socket.fd;
    libxl__fd_deregister(ctx, &qmp->socket);
    close(fd);
}

static void end(libxl_ctx *ctx, libxl__qmp *qmp, int errnoval)
{
    disconnect(ctx, &qmp->source);
    qmp->done = true;
    qmp->errnoval = errnoval;
    libxl__source_fire(&qmp->source);
}

/* Sends a line. A short line is sent completely, because the socket's buffer is empty. */
static void say(libxl_ctx *ctx, libxl__qmp *qmp, const char *line)
{
    const ssize_t size = (ssize_t)strlen(line);
    qmp->step++;
    if (send(qmp->socket.fd, line, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) != size)
        end(ctx, qmp, errno ? errno : EMSGSIZE);
}

/* Returns whether the message is an answer and not an event. If the message is a refusal, stores its text. */
static bool is_answer(libxl__qmp *qmp, struct json_object *message)
{
    struct json_object *error, *words;
    if (json_object_object_get_ex(message, "error", &error)) {
        const bool found = json_object_object_get_ex(error, "desc", &words);
        libxl__escape(qmp->refusal, sizeof(qmp->refusal),
                      found ? json_object_get_string(words) : "no reason");
        return true;
    }
    return json_object_object_get_ex(message, "return", NULL);
}

static void take_line(libxl_ctx *ctx, libxl__qmp *qmp, const char *line)
{
    struct json_object *message = json_tokener_parse(line);
    const bool is_object = json_object_is_type(message, json_type_object);
    if (!is_object)
        end(ctx, qmp, EPROTO);
    else if (qmp->step == LIBXL__QMP_GREETING)
        say(ctx, qmp, negotiation);
    else if (is_answer(qmp, message)) {
        if (qmp->step == LIBXL__QMP_NEGOTIATING && !*qmp->refusal)
            say(ctx, qmp, qmp->request);
        else
            end(ctx, qmp, 0);
    }
    json_object_put(message);
}

/* Handles the complete lines that have arrived. Keeps an incomplete line in the buffer. */
static void take_lines(libxl_ctx *ctx, libxl__qmp *qmp)
{
    char *line = qmp->answer, *newline;
    while (!qmp->done && (newline = strchr(line, '\n'))) {
        *newline = 0;
        if (*line && *line != '\r')
            take_line(ctx, qmp, line);
        line = newline + 1;
    }
    qmp->length = strlen(line);
    memmove(qmp->answer, line, qmp->length + 1);
    if (!qmp->done && qmp->length == LIBXL__QMP_ANSWER - 1)
        end(ctx, qmp, EMSGSIZE);
}

static void readable(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    libxl__qmp *qmp = LIBXL__CONTAINER(fd, libxl__qmp, socket);
    char *to = qmp->answer + qmp->length;
    const ssize_t got = recv(fd->fd, to, LIBXL__QMP_ANSWER - 1 - qmp->length, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        end(ctx, qmp, got ? errno : ECONNRESET);
        return;
    }
    for (ssize_t i = 0; i < got; i++)
        if (!to[i])
            to[i] = '?';
    to[got] = 0;
    take_lines(ctx, qmp);
}

/* Makes the line of the request, in the operation's memory. Returns NULL if there is no memory. */
static const char *make_request(libxl__ao *ao, const char *command, const char *name, const char *value)
{
    struct json_object *request = json_object_new_object(), *arguments = json_object_new_object();
    json_object_object_add(request, "execute", json_object_new_string(command));
    if (name)
        json_object_object_add(arguments, name, json_object_new_string(value));
    json_object_object_add(request, "arguments", arguments);
    const char *line =
        libxl__gc_printf(&ao->gc, "%s\n", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
    json_object_put(request);
    return line;
}

static int fail(libxl__ao *ao, const libxl__qmp *qmp, int error)
{
    return libxl__ao_fail(ao, ERROR_FAIL, "the device model: %s: %s", qmp->command, strerror(error));
}

int libxl__qmp_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid, const char *command, const char *name,
                     const char *value)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    qmp->command = command;
    qmp->request = make_request(ao, command, name, value);
    qmp->answer = libxl__gc_alloc(&ao->gc, LIBXL__QMP_ANSWER);
    if (!qmp->request || !qmp->answer)
        return ERROR_NOMEM;
    int rc = libxl__alarm_set(ao, &qmp->patience, PATIENCE);
    if (rc)
        return rc;
    snprintf(address.sun_path, sizeof(address.sun_path), "/var/run/xen/qmp-libxl-%u", domid);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(ao, qmp, errno);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
        libxl__fd_register(ao->ctx, &qmp->socket, fd, EPOLLIN, readable)) {
        rc = fail(ao, qmp, errno);
        close(fd);
        return rc;
    }
    qmp->socket.close_on_fork = true;
    libxl__source_attach(ao, &qmp->source, disconnect);
    return LIBXL__AO_WAIT;
}

int libxl__qmp_poll(libxl__ao *ao, libxl__qmp *qmp)
{
    if (!qmp->done && !qmp->patience.rang)
        return LIBXL__AO_WAIT;
    if (!qmp->done || qmp->errnoval)
        return fail(ao, qmp, qmp->done ? qmp->errnoval : ETIMEDOUT);
    return *qmp->refusal
               ? libxl__ao_fail(ao, ERROR_FAIL, "the device model refuses %s: %s", qmp->command, qmp->refusal)
               : 0;
}
