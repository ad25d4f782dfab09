/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands to QEMU's monitor (QMP). Each command has a connection of its own, because QEMU serves one connection at
 * a time, and the library and other toolstacks use the monitor, too. This program talks to QEMU itself, because it
 * also lets the guest run again when the library's process has ended.
 *
 * QEMU is not trusted. So the time, the length and the depth of its answers are limited.
 *
 * Owns: the connection, during a call, and the reason of the first failure. All functions run on the main thread,
 * which takes no lock.
 */
#include "program.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE = 64 << 10,  /* the length of the longest line, in octets */
    LINES = 4096,     /* the greatest number of lines, such as events, before an answer */
    DEPTH = 32,       /* the greatest depth of an answer */
    PATIENCE = 30000, /* the time limit of an answer, in ms */
};

typedef struct monitor {
    int fd;
    uint64_t deadline; /* the time at which the wait for an answer ends, on the monotonic clock, in ms */
    size_t length;     /* the number of octets in `line` that belong to the next lines */
    char line[LINE];
} monitor;

static char why[LIBXL__TRANSFER_TEXT]; /* the reason of the first failure */

const char *monitor_error(void)
{
    return *why ? why : NULL;
}

bool monitor_fail(const char *command, const char *reason)
{
    if (!*why)
        snprintf(why, sizeof(why), "the device model: %s: %s", command, reason);
    return false;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until octets have arrived. Returns 0 or an errno. */
static int await_octets(const monitor *m)
{
    struct pollfd from = {.fd = m->fd, .events = POLLIN};
    for (;;) {
        const uint64_t now = now_ms();
        const int got = now < m->deadline ? poll(&from, 1, (int)(m->deadline - now)) : 0;
        if (got > 0)
            return 0;
        if (got == 0)
            return ETIMEDOUT;
        if (errno != EINTR || stopped())
            return errno;
    }
}

/*
 * Returns the next line, without the newline. The line stays in the buffer until the next call. `*used` is the
 * length of the line that this function returned last; its octets are removed first. Returns NULL with errno.
 */
static char *next_line(monitor *m, size_t *used)
{
    m->length -= *used;
    memmove(m->line, m->line + *used, m->length);
    *used = 0;
    for (;;) {
        char *end = memchr(m->line, '\n', m->length);
        if (end) {
            *used = (size_t)(end - m->line) + 1;
            *end = 0;
            return m->line;
        }
        errno = m->length == sizeof(m->line) ? EMSGSIZE : await_octets(m);
        if (errno)
            return NULL;
        const ssize_t got = recv(m->fd, m->line + m->length, sizeof(m->line) - m->length, MSG_DONTWAIT);
        if (got <= 0 && (!got || (errno != EINTR && errno != EAGAIN))) {
            errno = got ? errno : ECONNRESET;
            return NULL;
        }
        m->length += got > 0 ? (size_t)got : 0;
    }
}

/* Returns the object of a line, or NULL if the line is no object or is nested too deeply. */
static struct json_object *parse(const char *line)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
    struct json_object *object = tokener ? json_tokener_parse_ex(tokener, line, (int)strlen(line) + 1) : NULL;
    if (tokener)
        json_tokener_free(tokener);
    if (json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

/* Waits for an object with the member `first` or the member `second`. Returns the object, or NULL with errno. */
static struct json_object *await_object(monitor *m, size_t *used, const char *first, const char *second)
{
    for (int i = 0; i < LINES; i++) {
        const char *line = next_line(m, used);
        if (!line)
            return NULL;
        struct json_object *object = parse(line);
        if (!object)
            break;
        if (json_object_object_get_ex(object, first, NULL) || json_object_object_get_ex(object, second, NULL))
            return object;
        json_object_put(object);
    }
    errno = EPROTO;
    return NULL;
}

/* Sends a line, with the descriptor `passed` unless it is -1. */
static bool say(const monitor *m, const char *line, int passed)
{
    union {
        struct cmsghdr header;
        char buffer[CMSG_SPACE(sizeof(int))];
    } control = {.buffer = {0}};
    const union {
        const char *text;
        void *start; /* sendmsg does not change the octets */
    } start = {.text = line};
    struct iovec octets = {start.start, strlen(line)};
    struct msghdr message = {.msg_iov = &octets, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = control.buffer;
        message.msg_controllen = sizeof(control.buffer);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
    }
    return sendmsg(m->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)octets.iov_len;
}

/* Sends a command, and takes its answer. Returns the value of "return", which the caller frees, or NULL. */
static struct json_object *ask(monitor *m, size_t *used, const char *name, const char *line, int passed)
{
    struct json_object *error, *words = NULL, *result;
    struct json_object *answer = say(m, line, passed) ? await_object(m, used, "return", "error") : NULL;
    if (!answer) {
        monitor_fail(name, strerror(errno));
        return NULL;
    }
    if (json_object_object_get_ex(answer, "error", &error)) {
        json_object_object_get_ex(error, "desc", &words);
        monitor_fail(name, json_object_is_type(words, json_type_string) ? json_object_get_string(words)
                                                                        : "refused");
        json_object_put(answer);
        return NULL;
    }
    result = json_object_get(json_object_object_get(answer, "return"));
    json_object_put(answer);
    return result ? result : json_object_new_object();
}

static bool connect_to(monitor *m, uint32_t domid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), LIBXL__MONITOR_SOCKET, domid);
    /* Limits the time of connect(2), which blocks while QEMU's queue of connections is full. */
    const struct timeval limit = {.tv_sec = PATIENCE / 1000};
    m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    m->deadline = now_ms() + PATIENCE;
    return m->fd >= 0 && !setsockopt(m->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
           !connect(m->fd, (struct sockaddr *)&address, sizeof(address));
}

/* Takes the greeting, and negotiates the capabilities. */
static bool greet(monitor *m, size_t *used)
{
    struct json_object *greeting = await_object(m, used, "QMP", "QMP");
    if (!greeting)
        return monitor_fail("its monitor", strerror(errno));
    json_object_put(greeting);
    struct json_object *result =
        ask(m, used, "qmp_capabilities", "{\"execute\": \"qmp_capabilities\"}\n", -1);
    json_object_put(result);
    return result != NULL;
}

/* Returns the member "fdset-id" of an answer, or -1. */
static int set_of(struct json_object *result)
{
    struct json_object *number;
    if (!json_object_is_type(result, json_type_object) ||
        !json_object_object_get_ex(result, "fdset-id", &number) ||
        !json_object_is_type(number, json_type_int))
        return -1;
    const int64_t set = json_object_get_int64(number);
    return set >= 0 && set <= INT32_MAX ? (int)set : -1;
}

/* Gives QEMU a descriptor, and tells QEMU to write the state of the devices to it. */
static bool save_devices(monitor *m, size_t *used, bool live, int fd)
{
    char line[160];
    struct json_object *result = ask(m, used, "add-fd", "{\"execute\": \"add-fd\"}\n", fd);
    if (!result)
        return false;
    const int set = set_of(result);
    json_object_put(result);
    if (set < 0)
        return monitor_fail("add-fd", strerror(EPROTO));
    snprintf(line, sizeof(line),
             "{\"execute\": \"xen-save-devices-state\", "
             "\"arguments\": {\"filename\": \"/dev/fdset/%d\", \"live\": %s}}\n",
             set, live ? "true" : "false");
    result = ask(m, used, "xen-save-devices-state", line, -1);
    if (!result)
        return false;
    json_object_put(result);
    snprintf(line, sizeof(line), "{\"execute\": \"remove-fd\", \"arguments\": {\"fdset-id\": %d}}\n", set);
    result = ask(m, used, "remove-fd", line, -1);
    json_object_put(result);
    return result != NULL;
}

static monitor connection;

/* Connects to the domain's QEMU, and sends the command. Keeps the connection for further commands. */
static bool begin(uint32_t domid, const char *name, const char *line, size_t *used)
{
    monitor *m = &connection;
    *used = m->length = 0;
    if (!connect_to(m, domid))
        return monitor_fail("its monitor", strerror(errno));
    if (!greet(m, used))
        return false;
    struct json_object *result = ask(m, used, name, line, -1);
    json_object_put(result);
    return result != NULL;
}

static bool end(bool done)
{
    if (connection.fd >= 0)
        close(connection.fd);
    return done;
}

bool monitor_log_dirty(uint32_t domid, bool enable)
{
    char line[96];
    size_t used;
    snprintf(line, sizeof(line),
             "{\"execute\": \"xen-set-global-dirty-log\", \"arguments\": {\"enable\": %s}}\n",
             enable ? "true" : "false");
    return end(begin(domid, "xen-set-global-dirty-log", line, &used));
}

bool monitor_save(uint32_t domid, bool live, int fd)
{
    size_t used;
    return end(begin(domid, "stop", "{\"execute\": \"stop\"}\n", &used) &&
               save_devices(&connection, &used, live, fd));
}

bool monitor_go_on(uint32_t domid)
{
    size_t used;
    return end(begin(domid, "cont", "{\"execute\": \"cont\"}\n", &used));
}
