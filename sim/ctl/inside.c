/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command as if it ran in a guest: its connections to xenstored are the guest's, and the hypervisor refuses
 * what only domain 0 may ask for. A second process, the relay, does the work of the guest's kernel: it forwards the
 * messages of all connections through the guest's single xenstore ring. In the ring, requests have numbers of the
 * relay, and watches have tokens of the relay. By them the relay finds the connection to which an answer or an event
 * belongs.
 *
 * Lock: machine->lock, while the ring is opened and while a notification is sent or taken. Lifetime: the relay
 * serves all commands of its guest. It ends when the guest has ended.
 */
#include "ctl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define SOCKET_OF  "/run/xenstored/inside-%u"
#define MOST       64   /* the greatest number of connections */
#define MOST_SENT  4096 /* the greatest number of requests that are not answered */
#define LOOK_MS    200  /* the time between two checks whether the guest still exists */
#define TOKEN_ROOM 16
#define MESSAGE    (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
#define ROOM       (MESSAGE + TOKEN_ROOM)

/* A watch or a transaction of a connection. `body`: the path and the token of a watch, as sent to the ring. */
struct held {
    LIST_ENTRY(held) link;
    uint32_t transaction; /* 0: a watch */
    uint32_t size;
    char body[];
};

struct connection {
    int fd; /* -1: this entry is free */
    uint32_t serial;
    uint32_t got;
    char message[ROOM];
    LIST_HEAD(, held) held;
};

/* A request that is not answered. serial 0: the relay itself has sent it. */
struct sent {
    bool used;
    uint32_t serial, number, type;
};

static struct {
    uint32_t domid, port;
    uint64_t domain_serial;
    struct xenstore_domain_interface *page;
    uint16_t listener;
    int events, door;
    uint32_t next_serial;
    struct connection connections[MOST];
    struct sent sent[MOST_SENT];
    uint32_t next_sent;
    char *waiting; /* the octets that have not been written into the ring yet */
    size_t waiting_size;
    uint32_t got;
    char message[ROOM];
} relay;

static struct connection *connection_of(uint32_t serial)
{
    for (struct connection *c = relay.connections; c < relay.connections + MOST; c++)
        if (c->fd >= 0 && c->serial == serial)
            return c;
    return NULL;
}

/* ---- the ring */

static void fill_ring(void)
{
    struct xenstore_domain_interface *page = relay.page;
    uint32_t at = page->req_prod, taken = 0;
    const uint32_t end = __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE) + XENSTORE_RING_SIZE;
    while (at != end && taken < relay.waiting_size)
        page->req[MASK_XENSTORE_IDX(at++)] = relay.waiting[taken++];
    if (!taken)
        return;
    __atomic_store_n(&page->req_prod, at, __ATOMIC_RELEASE);
    relay.waiting_size -= taken;
    memmove(relay.waiting, relay.waiting + taken, relay.waiting_size);
    machine_lock();
    channel_notify(relay.domid, relay.port);
    machine_unlock();
}

static void send_to_ring(uint32_t serial, const struct xsd_sockmsg *header, const void *body)
{
    struct xsd_sockmsg own = *header;
    struct sent *sent = &relay.sent[relay.next_sent];
    if (sent->used)
        fail("too many requests without an answer");
    *sent = (struct sent){.used = true, .serial = serial, .number = header->req_id, .type = header->type};
    own.req_id = relay.next_sent;
    relay.next_sent = (relay.next_sent + 1) % MOST_SENT;
    relay.waiting = realloc(relay.waiting, relay.waiting_size + sizeof own + own.len);
    if (!relay.waiting)
        fail("%s", strerror(errno));
    memcpy(relay.waiting + relay.waiting_size, &own, sizeof own);
    memcpy(relay.waiting + relay.waiting_size + sizeof own, body, own.len);
    relay.waiting_size += sizeof own + own.len;
    fill_ring();
}

/* ---- the watches and transactions of a connection */

static void hold(struct connection *c, uint32_t transaction, const char *body, uint32_t size)
{
    struct held *held = malloc(sizeof *held + size);
    if (!held)
        fail("%s", strerror(errno));
    held->transaction = transaction;
    held->size = size;
    memcpy(held->body, body, size);
    LIST_INSERT_HEAD(&c->held, held, link);
}

static void let_go(struct connection *c, uint32_t transaction, const char *body, uint32_t size)
{
    struct held *held;
    LIST_FOREACH (held, &c->held, link)
        if (held->transaction == transaction &&
            (transaction || (held->size == size && !memcmp(held->body, body, size)))) {
            LIST_REMOVE(held, link);
            free(held);
            return;
        }
}

static void close_connection(struct connection *c)
{
    struct held *held;
    while ((held = LIST_FIRST(&c->held))) {
        const struct xsd_sockmsg end = {.type = XS_TRANSACTION_END, .tx_id = held->transaction, .len = 2};
        const struct xsd_sockmsg unwatch = {.type = XS_UNWATCH, .len = held->size};
        send_to_ring(0, held->transaction ? &end : &unwatch, held->transaction ? "F" : held->body);
        LIST_REMOVE(held, link);
        free(held);
    }
    close(c->fd);
    c->fd = -1;
}

/* ---- messages from connections, and from the ring */

static void write_all(struct connection *c, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        const ssize_t done = send(c->fd, at, size, MSG_NOSIGNAL);
        if (done <= 0)
            return; /* the next read finds that the connection is closed */
        at += done;
        size -= (size_t)done;
    }
}

/* Sends a complete message of a connection to the ring. Puts the connection's serial in front of a watch's token. */
static void forward(struct connection *c)
{
    struct xsd_sockmsg header;
    char body[ROOM];
    memcpy(&header, c->message, sizeof header);
    memcpy(body, c->message + sizeof header, header.len);
    const size_t path = strnlen(body, header.len) + 1;
    const bool watch = header.type == XS_WATCH, unwatch = header.type == XS_UNWATCH;
    if ((watch || unwatch) && path < header.len) {
        char token[XENSTORE_PAYLOAD_MAX + 1];
        snprintf(token, sizeof token, "%.*s", (int)(header.len - path), body + path);
        header.len =
            (uint32_t)(path + (size_t)snprintf(body + path, sizeof body - path, "%u:%s", c->serial, token) +
                       1);
        if (watch)
            hold(c, 0, body, header.len);
        else
            let_go(c, 0, body, header.len);
    }
    if (header.type == XS_TRANSACTION_END)
        let_go(c, header.tx_id, NULL, 0);
    send_to_ring(c->serial, &header, body);
}

static void read_connection(struct connection *c)
{
    struct xsd_sockmsg header = {.len = 0};
    if (c->got >= sizeof header)
        memcpy(&header, c->message, sizeof header);
    if (header.len > XENSTORE_PAYLOAD_MAX) {
        close_connection(c);
        return;
    }
    const ssize_t got = recv(c->fd, c->message + c->got, sizeof header + header.len - c->got, 0);
    if (got <= 0) {
        close_connection(c);
        return;
    }
    c->got += (uint32_t)got;
    if (c->got < sizeof header)
        return;
    memcpy(&header, c->message, sizeof header);
    if (c->got < sizeof header + header.len)
        return;
    c->got = 0;
    forward(c);
}

static void deliver_event(struct xsd_sockmsg header, char *body)
{
    const size_t path = strnlen(body, header.len) + 1;
    char *token = body + path;
    uint32_t serial;
    int length = 0;
    if (path >= header.len || sscanf(token, "%u:%n", &serial, &length) != 1 || !length)
        return;
    struct connection *c = connection_of(serial);
    memmove(token, token + length, header.len - path - (size_t)length);
    header.len -= (uint32_t)length;
    if (!c)
        return;
    write_all(c, &header, sizeof header);
    write_all(c, body, header.len);
}

static void deliver(void)
{
    struct xsd_sockmsg header;
    char *body = relay.message + sizeof header;
    memcpy(&header, relay.message, sizeof header);
    body[header.len] = 0;
    if (header.type == XS_WATCH_EVENT) {
        deliver_event(header, body);
        return;
    }
    struct sent *sent = &relay.sent[header.req_id % MOST_SENT];
    struct connection *c = sent->serial ? connection_of(sent->serial) : NULL;
    sent->used = false;
    header.req_id = sent->number;
    if (!c)
        return;
    if (header.type == XS_TRANSACTION_START)
        hold(c, (uint32_t)atoi(body), NULL, 0);
    write_all(c, &header, sizeof header);
    write_all(c, body, header.len);
}

static void empty_ring(void)
{
    struct xenstore_domain_interface *page = relay.page;
    uint32_t at = page->rsp_cons;
    const uint32_t end = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE);
    const bool any = at != end;
    while (at != end) {
        struct xsd_sockmsg header = {.len = 0};
        relay.message[relay.got++] = page->rsp[MASK_XENSTORE_IDX(at++)];
        if (relay.got < sizeof header)
            continue;
        memcpy(&header, relay.message, sizeof header);
        if (header.len > XENSTORE_PAYLOAD_MAX)
            fail("xenstored's message is too long");
        if (relay.got < sizeof header + header.len)
            continue;
        relay.got = 0;
        deliver();
    }
    __atomic_store_n(&page->rsp_cons, at, __ATOMIC_RELEASE);
    if (!any)
        return;
    machine_lock();
    channel_notify(relay.domid, relay.port);
    machine_unlock();
}

/* ---- the relay's process */

static void accept_connection(void)
{
    const int fd = accept4(relay.door, NULL, NULL, SOCK_CLOEXEC);
    struct connection *c = relay.connections;
    while (c < relay.connections + MOST && c->fd >= 0)
        c++;
    if (fd < 0 || c == relay.connections + MOST) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->serial = ++relay.next_serial;
    c->got = 0;
    LIST_INIT(&c->held);
}

static void take_notification(void)
{
    uint32_t domid, port;
    machine_lock();
    if (listener_pop(relay.listener, relay.events, &domid, &port))
        channel_unmask(domid, port);
    machine_unlock();
}

static bool guest_exists(void)
{
    machine_lock();
    const struct domain *d = domain_get(relay.domid);
    const bool exists = d && d->serial == relay.domain_serial && d->state == DOMAIN_ALIVE;
    machine_unlock();
    return exists;
}

static _Noreturn void serve(void)
{
    struct pollfd polled[MOST + 2];
    while (guest_exists()) {
        polled[0] = (struct pollfd){.fd = relay.events, .events = POLLIN};
        polled[1] = (struct pollfd){.fd = relay.door, .events = POLLIN};
        for (int i = 0; i < MOST; i++)
            polled[i + 2] = (struct pollfd){.fd = relay.connections[i].fd, .events = POLLIN};
        poll(polled, MOST + 2, LOOK_MS);
        if (polled[0].revents)
            take_notification();
        for (int i = 0; i < MOST; i++)
            if (polled[i + 2].revents && relay.connections[i].fd >= 0)
                read_connection(&relay.connections[i]);
        if (polled[1].revents)
            accept_connection();
        empty_ring();
        if (relay.waiting_size)
            fill_ring();
    }
    _exit(EXIT_SUCCESS);
}

/* Opens the guest's ring. The guest must not use the ring, so its command line must begin with "b" (guests.h). */
static void open_ring(void)
{
    struct domain *d = domain_get(relay.domid);
    if (!d || !relay.domid || d->state != DOMAIN_ALIVE || !domain_is_hvm(d))
        fail("domain %u is no PVH guest", relay.domid);
    relay.domain_serial = d->serial;
    relay.port = (uint32_t)d->hvm_params[HVM_PARAM_STORE_EVTCHN];
    const uint32_t frame = frame_of(d, d->hvm_params[HVM_PARAM_STORE_PFN]);
    struct channel *c = channel_get(relay.domid, relay.port);
    relay.page = frame ? frames_map(NULL, PROT_READ | PROT_WRITE, 0, 1, &frame) : NULL;
    if (!relay.page || !c)
        fail("domain %u has no xenstore ring", relay.domid);
    relay.events = listener_open(true, &relay.listener);
    if (relay.events < 0)
        fail("event channels: %s", strerror(-relay.events));
    c->listener = relay.listener;
    channel_unmask(relay.domid, relay.port);
}

static bool is_answered(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool answered = fd >= 0 && !connect(fd, (const struct sockaddr *)address, sizeof *address);
    close(fd);
    return answered;
}

static void start_relay(const struct sockaddr_un *address)
{
    unlink(address->sun_path);
    relay.door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(relay.door, (const struct sockaddr *)address, sizeof *address) || listen(relay.door, MOST))
        fail("%s: %s", address->sun_path, strerror(errno));
    for (int i = 0; i < MOST; i++)
        relay.connections[i].fd = -1;
    const pid_t child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child) {
        close(relay.door);
        return;
    }
    setsid();
    machine_lock();
    open_ring();
    machine_unlock();
    /*
     * The relay lives longer than the command. If it kept the command's standard descriptors open, a program that reads
     * the command's output would never see its end.
     */
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    serve();
}

void run_inside(int argc, char **argv)
{
    char path[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)argc;
    relay.domid = (uint32_t)number_in(argv[0], "DOMID", DOMID_FIRST_RESERVED - 1);
    snprintf(path, sizeof path, SOCKET_OF, relay.domid);
    memcpy(address.sun_path, path, sizeof path);
    if (!is_answered(&address))
        start_relay(&address);
    setenv("XENSTORED_PATH", path, 1);
    setenv("AIOXEN_SIM_INSIDE", argv[0], 1);
    execvp(argv[1], argv + 1);
    fail("%s: %s", argv[1], strerror(errno));
}
