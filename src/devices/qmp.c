/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QMP connection has four steps: QEMU sends a greeting, the capabilities are negotiated, the commands are
 * sent, and the answers arrive. QEMU may also send events between these steps. This file ignores the events,
 * except the one that is awaited.
 *
 * Owns: the connection and the answers, until the operation ends. Locks: the context's lock, held by the
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

/*
 * The number of octets that are read at once. It bounds the time for which a hostile QEMU can hold the loop:
 * json-c needs 1.7 us for each object that is no answer.
 */
enum { AT_ONCE = 4096 };

#define PATIENCE LIBXL__SECONDS(10)

static const libxl__qmp_command negotiation = {.line = "{\"execute\": \"qmp_capabilities\"}\n", .passed = -1};

static void disconnect(libxl_ctx *ctx, libxl__qmp *qmp)
{
    if (!qmp->socket.registered)
        return;
    const int fd = qmp->socket.fd;
    libxl__fd_deregister(ctx, &qmp->socket);
    close(fd);
}

/* Called when the operation ends. */
static void release(libxl_ctx *ctx, libxl__source *source)
{
    libxl__qmp *qmp = (libxl__qmp *)source;
    disconnect(ctx, qmp);
    for (unsigned i = 0; i < qmp->count; i++)
        json_object_put(qmp->commands[i].result);
    qmp->count = 0;
}

static void end(libxl_ctx *ctx, libxl__qmp *qmp, int errnoval)
{
    disconnect(ctx, qmp);
    qmp->done = true;
    qmp->errnoval = errnoval;
    libxl__source_fire(&qmp->source);
}

/*
 * Sends a line, with a descriptor if the command has one. The lines are sent completely, because the socket's
 * buffer is empty at first and takes more than all lines need. Returns whether the line was sent.
 */
static bool say(libxl_ctx *ctx, libxl__qmp *qmp, const libxl__qmp_command *command)
{
    const ssize_t size = (ssize_t)strlen(command->line);
    union {
        struct cmsghdr header;
        char buffer[CMSG_SPACE(sizeof(int))];
    } control = {.buffer = {0}};
    const union {
        const char *text;
        void *start; /* sendmsg does not change the octets */
    } line = {.text = command->line};
    struct iovec octets = {line.start, (size_t)size};
    struct msghdr message = {.msg_iov = &octets, .msg_iovlen = 1};
    if (command->passed >= 0) {
        message.msg_control = control.buffer;
        message.msg_controllen = sizeof(control.buffer);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &command->passed, sizeof(int));
    }
    const ssize_t sent = sendmsg(qmp->socket.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != size)
        end(ctx, qmp, sent < 0 ? errno : EMSGSIZE);
    return sent == size;
}

/* Called when all commands are answered. */
static void finish_commands(libxl_ctx *ctx, libxl__qmp *qmp)
{
    if (!qmp->kept) {
        end(ctx, qmp, 0);
        return;
    }
    qmp->done = true;
    libxl__source_fire(&qmp->source);
}

/* Counts the skipped commands before the next command that is sent as answered. */
static void pass_skipped(libxl__qmp *qmp)
{
    while (qmp->answered < qmp->count && qmp->commands[qmp->answered].skipped)
        qmp->answered++;
}

static void say_commands(libxl_ctx *ctx, libxl__qmp *qmp)
{
    qmp->step = LIBXL__QMP_ANSWERING;
    for (unsigned i = qmp->answered; i < qmp->count; i++)
        if (!qmp->commands[i].skipped && !say(ctx, qmp, &qmp->commands[i]))
            return;
    pass_skipped(qmp);
    if (qmp->answered == qmp->count)
        finish_commands(ctx, qmp);
}

/*
 * Stores an answer in its command. The answers come in the order of the commands, and each answer has the number of
 * its command.
 */
static void keep_answer(libxl_ctx *ctx, libxl__qmp *qmp, struct json_object *message)
{
    libxl__qmp_command *command = &qmp->commands[qmp->answered];
    struct json_object *id, *error, *words = NULL;
    const bool numbered = json_object_object_get_ex(message, "id", &id) &&
                          json_object_is_type(id, json_type_int) &&
                          json_object_get_int64(id) == (int64_t)qmp->answered;
    if (!numbered) {
        end(ctx, qmp, EPROTO);
        return;
    }
    if (json_object_object_get_ex(message, "error", &error)) {
        json_object_object_get_ex(error, "desc", &words);
        const char *text = json_object_is_type(words, json_type_string) ? json_object_get_string(words) : "";
        libxl__escape(command->refusal, sizeof(command->refusal), *text ? text : "it gives no reason");
        if (!qmp->all) {
            end(ctx, qmp, 0);
            return;
        }
    } else
        command->result = json_object_get(json_object_object_get(message, "return"));
    qmp->answered++;
    pass_skipped(qmp);
    if (qmp->answered == qmp->count && (qmp->happened || !qmp->event))
        finish_commands(ctx, qmp);
}

/* Sets `happened` if the message is the awaited event. */
static void take_event(libxl_ctx *ctx, libxl__qmp *qmp, struct json_object *message)
{
    struct json_object *name;
    if (!qmp->event || !json_object_object_get_ex(message, "event", &name) ||
        !json_object_is_type(name, json_type_string) || strcmp(json_object_get_string(name), qmp->event) != 0)
        return;
    qmp->happened = true;
    if (qmp->answered == qmp->count)
        end(ctx, qmp, 0);
}

/* Returns whether the message is an answer. Other messages are events. */
static bool is_answer(struct json_object *message)
{
    return json_object_object_get_ex(message, "return", NULL) ||
           json_object_object_get_ex(message, "error", NULL);
}

/* Returns the object of a line, or NULL if the line has no object or is nested too deeply. */
static struct json_object *parse(const char *line)
{
    struct json_tokener *tokener = json_tokener_new_ex(LIBXL__QMP_DEPTH);
    struct json_object *message =
        tokener ? json_tokener_parse_ex(tokener, line, (int)strlen(line) + 1) : NULL;
    if (tokener)
        json_tokener_free(tokener);
    if (json_object_is_type(message, json_type_object))
        return message;
    json_object_put(message);
    return NULL;
}

static void take_line(libxl_ctx *ctx, libxl__qmp *qmp, const char *line)
{
    struct json_object *message = parse(line);
    if (!message)
        end(ctx, qmp, EPROTO);
    else if (qmp->step == LIBXL__QMP_GREETING) {
        qmp->step = LIBXL__QMP_NEGOTIATING;
        say(ctx, qmp, &negotiation);
    } else if (!is_answer(message) && qmp->step == LIBXL__QMP_ANSWERING)
        take_event(ctx, qmp, message);
    else if (is_answer(message) && qmp->step == LIBXL__QMP_ANSWERING && qmp->answered == qmp->count)
        end(ctx, qmp, EPROTO); /* QEMU has sent an answer, but all commands are answered */
    else if (is_answer(message) && qmp->step == LIBXL__QMP_ANSWERING)
        keep_answer(ctx, qmp, message);
    else if (is_answer(message) && json_object_object_get_ex(message, "error", NULL))
        end(ctx, qmp, EPROTO);
    else if (is_answer(message))
        say_commands(ctx, qmp);
    json_object_put(message);
}

/* Handles the complete lines that have arrived. Keeps an incomplete line in the buffer. */
static void take_lines(libxl_ctx *ctx, libxl__qmp *qmp)
{
    char *line = qmp->answer, *newline;
    while (!qmp->done && (newline = strchr(line, '\n'))) {
        *newline = 0;
        if (newline > line && newline[-1] == '\r')
            newline[-1] = 0;
        if (*line)
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
    const size_t room = LIBXL__QMP_ANSWER - 1 - qmp->length;
    const ssize_t got = recv(fd->fd, to, room < AT_ONCE ? room : AT_ONCE, MSG_DONTWAIT);
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

bool libxl__qmp_set_text(struct json_object *object, const char *name, const char *text)
{
    struct json_object *value = json_object_new_string(text);
    if (value && !json_object_object_add(object, name, value))
        return true;
    json_object_put(value);
    return false;
}

struct json_object *libxl__qmp_text(const char *name, const char *text)
{
    struct json_object *object = text ? json_object_new_object() : NULL;
    if (object)
        json_object_object_add(object, name, json_object_new_string(text));
    return object;
}

int libxl__qmp_add(libxl__ao *ao, libxl__qmp *qmp, const char *name, struct json_object *arguments,
                   int passed)
{
    struct json_object *request = json_object_new_object();
    libxl__qmp_command *command = &qmp->commands[qmp->count];
    *command = (libxl__qmp_command){.name = name, .passed = passed};
    json_object_object_add(request, "execute", json_object_new_string(name));
    json_object_object_add(request, "id", json_object_new_int((int)qmp->count));
    if (arguments)
        json_object_object_add(request, "arguments", arguments);
    command->line = libxl__gc_printf(
        &ao->gc, "%s\n",
        json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(request);
    if (!command->line)
        return ERROR_NOMEM;
    qmp->count++;
    return 0;
}

/* Returns the name of the command that QEMU has not answered. */
static const char *unanswered(const libxl__qmp *qmp)
{
    return qmp->commands[qmp->answered < qmp->count ? qmp->answered : 0].name;
}

static int fail(libxl__ao *ao, const libxl__qmp *qmp, int error)
{
    return libxl__ao_fail(ao, ERROR_FAIL, "the device model: %s: %s", unanswered(qmp), strerror(error));
}

/*
 * Connects to the socket of QEMU. If QEMU has ended already, the connection counts as broken (libxl__qmp_is_broken).
 */
static int connect_to(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = qmp->socket.fd;
    snprintf(address.sun_path, sizeof(address.sun_path), LIBXL__MONITOR_SOCKET, domid);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        end(ao->ctx, qmp, errno);
        return LIBXL__AO_WAIT;
    }
    libxl__fd_deregister(ao->ctx, &qmp->socket);
    if (libxl__fd_register(ao->ctx, &qmp->socket, fd, EPOLLIN, readable)) {
        const int error = errno;
        close(fd);
        end(ao->ctx, qmp, error);
        return LIBXL__AO_WAIT;
    }
    qmp->socket.close_on_fork = true;
    return LIBXL__AO_WAIT;
}

/* Makes the socket, unless it exists. The loop polls it only after it is connected. */
static int make_socket(libxl__ao *ao, libxl__qmp *qmp)
{
    if (qmp->socket.registered)
        return 0;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(ao, qmp, errno);
    libxl__fd_hold(ao->ctx, &qmp->socket, fd);
    return 0;
}

int libxl__qmp_reserve(libxl__ao *ao, libxl__qmp *qmp)
{
    if (!qmp->source.ao)
        libxl__source_attach(ao, &qmp->source, release);
    if (!qmp->answer)
        qmp->answer = libxl__gc_alloc(&ao->gc, LIBXL__QMP_ANSWER);
    if (!qmp->answer)
        return ERROR_NOMEM;
    const int rc = make_socket(ao, qmp);
    return rc || qmp->patient ? rc : libxl__alarm_set(ao, &qmp->patience, PATIENCE);
}

int libxl__qmp_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid)
{
    /* If the caller has reserved before, this call only starts the alarm again, which needs no memory. */
    const int rc = libxl__qmp_reserve(ao, qmp);
    return rc ? rc : connect_to(ao, qmp, domid);
}

void libxl__qmp_leave(libxl__ao *ao, libxl__qmp *qmp)
{
    if (!qmp->done && qmp->source.ao)
        end(ao->ctx, qmp, ECANCELED);
}

void libxl__qmp_again(libxl__ao *ao, libxl__qmp *qmp)
{
    if (qmp->socket.polled >= 0)
        disconnect(
            ao->ctx,
            qmp); /* a socket that libxl__qmp_reserve has made, and that is not connected yet, stays open */
    for (unsigned i = 0; i < qmp->count; i++) {
        json_object_put(qmp->commands[i].result);
        qmp->commands[i].result = NULL;
        *qmp->commands[i].refusal = 0;
    }
    qmp->answered = qmp->errnoval = 0;
    qmp->length = 0;
    qmp->done = qmp->happened = false;
    qmp->step = LIBXL__QMP_GREETING;
}

void libxl__qmp_go_on(libxl__ao *ao, libxl__qmp *qmp)
{
    if (qmp->errnoval)
        return; /* The connection is lost. libxl__qmp_poll returns the error of the connection. */
    qmp->done = false;
    say_commands(ao->ctx, qmp);
}

bool libxl__qmp_is_broken(const libxl__qmp *qmp)
{
    return qmp->done && qmp->errnoval && qmp->errnoval != EPROTO && qmp->errnoval != EMSGSIZE;
}

int libxl__qmp_poll(libxl__ao *ao, libxl__qmp *qmp)
{
    if (!qmp->done && !qmp->patience.rang)
        return LIBXL__AO_WAIT;
    if (!qmp->done || qmp->errnoval)
        return fail(ao, qmp, qmp->done ? qmp->errnoval : ETIMEDOUT);
    for (unsigned i = 0; i < qmp->count; i++)
        if (*qmp->commands[i].refusal)
            return libxl__ao_fail(ao, ERROR_FAIL, "the device model refuses %s: %s", qmp->commands[i].name,
                                  qmp->commands[i].refusal);
    return 0;
}

int libxl__qmp_poll_model(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid)
{
    if (qmp->done && (qmp->errnoval == ENOENT || qmp->errnoval == ECONNREFUSED))
        return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "domain %u has no device model", domid);
    if (libxl__qmp_is_broken(qmp))
        return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "the device model of domain %u has ended: %s: %s",
                              domid, unanswered(qmp), strerror(qmp->errnoval));
    return libxl__qmp_poll(ao, qmp);
}

void libxl__qmp_reset(libxl__ao *ao, libxl__qmp *qmp)
{
    char *answer = qmp->answer;
    if (qmp->source.ao)
        libxl__source_stop(ao->ctx, &qmp->source);
    if (qmp->patience.source.ao)
        libxl__source_stop(ao->ctx, &qmp->patience.source);
    *qmp = (libxl__qmp){.answer = answer};
}
