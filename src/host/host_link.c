/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: ctx->host->links: the two netlink sockets, from their first use until the context is freed, and the
 * lists of requests and waits. The requests and waits belong to operations. The context's lock guards all of
 * them.
 *
 * The kernel has answered a request before the call that sends the request returns. But the answer is read
 * later, in the loop. There are two reasons. The kernel may hold the lock of its interfaces for milliseconds.
 * And one function can then read the answers to all requests.
 */
#include "host_link.h"
#include "host_link_message.h"
#include "libxl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

/* Sizes in octets. A request has at most six attributes of at most 16 octets each. */
enum { REQUEST = 256, MESSAGE = 8192 };

struct libxl__links {
    /* `ask`: the socket for requests. `hear`: the socket for notifications. NULL: not open. */
    struct mnl_socket *ask, *hear;
    libxl__fd ask_fd, hear_fd;
    uint32_t sequence;
    LIST_HEAD(, libxl__link_request) requests;
    LIST_HEAD(, libxl__link_await) awaits;
};

/* ---- the answers to requests */

static void finish(libxl__link_request *request, int errnoval)
{
    LIST_REMOVE(request, link);
    request->done = true;
    request->errnoval = errnoval;
    libxl__source_fire(&request->source);
}

static void take_answer(struct libxl__links *links, const struct nlmsghdr *message)
{
    libxl__link_request *request;
    LIST_FOREACH (request, &links->requests, link)
        if (request->sequence == message->nlmsg_seq)
            break;
    if (!request)
        return; /* the operation of the request has ended, so its answer is ignored */
    if (message->nlmsg_type == NLMSG_ERROR)
        libxl__link_read_answer(message, request);
    else if (message->nlmsg_type != RTM_NEWLINK || !libxl__link_read(message, &request->info))
        request->errnoval = EPROTO;
    finish(request, request->errnoval);
}

/* Ends all requests with an error. Called when the kernel's answers are lost. */
static void fail_requests(struct libxl__links *links, int errnoval)
{
    while (!LIST_EMPTY(&links->requests))
        finish(LIST_FIRST(&links->requests), errnoval);
}

/*
 * Reads all messages that have arrived, and calls `each` for each message. Returns 0, or the errno of a
 * failure.
 */
static int receive(struct libxl__links *links, const struct mnl_socket *socket,
                   void (*each)(struct libxl__links *links, const struct nlmsghdr *message))
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE];
    ssize_t length;
    while ((length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer))) > 0) {
        int left = (int)length;
        for (struct nlmsghdr *message = (void *)buffer; mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left))
            each(links, message);
    }
    return length < 0 && errno != EAGAIN && errno != EINTR ? errno : 0;
}

static void answers_ready(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)fd, (void)revents;
    const int error = receive(ctx->host->links, ctx->host->links->ask, take_answer);
    if (error)
        fail_requests(ctx->host->links, error);
}

/* ---- the two sockets */

/*
 * Translates the errno of a failed system call on a socket. Never returns INVAL or BUSY, because these errors
 * concern an object that the application has named.
 */
static int rtnetlink_rc(int errnoval)
{
    const int rc = libxl__host_errno_rc(errnoval);
    return rc == ERROR_INVAL || rc == ERROR_BUSY ? ERROR_FAIL : rc;
}

/* Opens a socket and registers it in the loop. Returns 0 or an errno. */
static int open_socket(libxl_ctx *ctx, struct mnl_socket **socket, libxl__fd *fd, unsigned groups,
                       libxl__fd_callback *callback)
{
    const int on = 1;
    if (*socket)
        return 0;
    struct mnl_socket *opened = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!opened)
        return errno;
    /* A failure is ignored, because requests also work with a kernel that sends no text about errors. */
    mnl_socket_setsockopt(opened, NETLINK_EXT_ACK, (void *)&on, sizeof(on));
    mnl_socket_setsockopt(opened, NETLINK_CAP_ACK, (void *)&on, sizeof(on));
    int error = mnl_socket_bind(opened, groups, MNL_SOCKET_AUTOPID) ? errno : 0;
    if (!error && libxl__fd_register(ctx, fd, mnl_socket_get_fd(opened), EPOLLIN, callback))
        error = errno;
    if (error) {
        mnl_socket_close(opened);
        return error;
    }
    fd->close_on_fork = true;
    libxl__fd_mark_internal(ctx, fd);
    *socket = opened;
    return 0;
}

static void close_socket(libxl_ctx *ctx, struct mnl_socket *socket, libxl__fd *fd)
{
    if (!socket)
        return;
    libxl__fd_deregister(ctx, fd);
    mnl_socket_close(socket);
}

/* Opens the socket for requests, if it is not open. Returns 0, or an error that is recorded in ao. */
static int open_ask(libxl__ao *ao)
{
    struct libxl__host *host = ao->ctx->host;
    if (!host->links)
        host->links = calloc(1, sizeof(*host->links));
    if (!host->links)
        return ERROR_NOMEM;
    const int error = open_socket(ao->ctx, &host->links->ask, &host->links->ask_fd, 0, answers_ready);
    return error ? libxl__ao_fail(ao, rtnetlink_rc(error), "opening rtnetlink: %s", strerror(error)) : 0;
}

void libxl__links_close(libxl_ctx *ctx)
{
    struct libxl__links *links = ctx->host->links;
    if (!links)
        return;
    close_socket(ctx, links->ask, &links->ask_fd);
    close_socket(ctx, links->hear, &links->hear_fd);
    free(links);
}

/* ---- sending requests */

static void request_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__link_request *request = LIBXL__CONTAINER(source, libxl__link_request, source);
    if (!request->done)
        LIST_REMOVE(request, link);
}

/*
 * Prepares a message, and stores the interface's name in the request. Errors, recorded in ao: INVAL, and
 * those of open_ask.
 */
static int begin(libxl__ao *ao, libxl__link_request *request, void *buffer, uint16_t type, const char *name)
{
    if (strlen(name) >= sizeof(request->name))
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: an interface's name has at most %d octets", name,
                              IFNAMSIZ - 1);
    memcpy(request->name, name, strlen(name) + 1);
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST;
    mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
    return open_ask(ao);
}

static void send_request(libxl__ao *ao, libxl__link_request *request, struct nlmsghdr *message)
{
    struct libxl__links *links = ao->ctx->host->links;
    message->nlmsg_seq = request->sequence = ++links->sequence;
    request->done = false;
    request->errnoval = 0;
    *request->words = 0;
    if (!request->source.ao)
        libxl__source_attach(ao, &request->source, request_stop);
    LIST_INSERT_HEAD(&links->requests, request, link);
    if (mnl_socket_sendto(links->ask, message, message->nlmsg_len) < 0)
        finish(request, errno);
}

int libxl__link_look(libxl__ao *ao, libxl__link_request *request, const char *name)
{
    _Alignas(struct nlmsghdr) char buffer[REQUEST] = {0};
    const int rc = begin(ao, request, buffer, RTM_GETLINK, name);
    if (rc)
        return rc;
    mnl_attr_put_strz((void *)buffer, IFLA_IFNAME, name);
    send_request(ao, request, (void *)buffer);
    return 0;
}

int libxl__link_set(libxl__ao *ao, libxl__link_request *request, int index, const char *name,
                    const libxl__link_change *change)
{
    _Alignas(struct nlmsghdr) char buffer[REQUEST] = {0};
    struct nlmsghdr *message = (void *)buffer;
    const int rc = begin(ao, request, buffer, RTM_NEWLINK, name);
    if (rc)
        return rc;
    struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header->ifi_index = index;
    header->ifi_flags = header->ifi_change = change->up ? IFF_UP : 0;
    if (change->address)
        mnl_attr_put(message, IFLA_ADDRESS, sizeof(request->info.address), change->address);
    if (change->mtu)
        mnl_attr_put_u32(message, IFLA_MTU, change->mtu);
    if (change->new_name)
        mnl_attr_put_strz(message, IFLA_IFNAME, change->new_name);
    if (change->master)
        mnl_attr_put_u32(message, IFLA_MASTER, (uint32_t)change->master);
    send_request(ao, request, message);
    return 0;
}

int libxl__link_poll(libxl__ao *ao, libxl__link_request *request, const char *what)
{
    if (!request->done)
        return LIBXL__AO_WAIT;
    if (!request->errnoval)
        return 0;
    return libxl__ao_fail(ao, libxl__host_errno_rc(request->errnoval), "%s: %s: %s%s%s", what, request->name,
                          strerror(request->errnoval), *request->words ? ": " : "", request->words);
}

/* ---- waiting for an interface to appear or to disappear */

static void end_await(libxl__link_await *await, int errnoval)
{
    if (await->done)
        return;
    await->done = true;
    await->errnoval = errnoval;
    libxl__source_fire(&await->source);
}

/*
 * Makes the operation ask for the interface again. Called after a notification about this interface, and
 * after notifications were lost.
 */
static void look_again(libxl__link_await *await)
{
    await->again = true;
    libxl__source_fire(&await->source);
}

static void take_notification(struct libxl__links *links, const struct nlmsghdr *message)
{
    libxl__link_info info;
    libxl__link_await *await;
    if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) ||
        !libxl__link_read(message, &info))
        return;
    LIST_FOREACH (await, &links->awaits, link)
        /* The index is compared, too, because the interface may have been renamed. */
        if (!strcmp(await->name, info.name) || await->index == info.index)
            look_again(await);
}

static void notifications_ready(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)fd, (void)revents;
    struct libxl__links *links = ctx->host->links;
    libxl__link_await *await;
    const int error = receive(links, links->hear, take_notification);
    LIST_FOREACH (await, &links->awaits, link)
        if (error == ENOBUFS) /* the kernel has dropped notifications */
            look_again(await);
        else if (error)
            end_await(await, error);
}

static void await_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    LIST_REMOVE(LIBXL__CONTAINER(source, libxl__link_await, source), link);
}

int libxl__link_await_start(libxl__ao *ao, libxl__link_await *await, const char *name, bool present)
{
    int rc = open_ask(ao);
    if (rc)
        return rc;
    struct libxl__links *links = ao->ctx->host->links;
    const int error = open_socket(ao->ctx, &links->hear, &links->hear_fd, RTMGRP_LINK, notifications_ready);
    if (error)
        return libxl__ao_fail(ao, rtnetlink_rc(error), "opening rtnetlink: %s", strerror(error));
    rc = libxl__link_look(ao, &await->look, name);
    if (rc)
        return rc;
    snprintf(await->name, sizeof(await->name), "%s", name);
    await->present = present;
    await->done = await->again = false;
    LIST_INSERT_HEAD(&links->awaits, await, link);
    libxl__source_attach(ao, &await->source, await_stop);
    return 0;
}

/*
 * Called when the answer about the interface has arrived. Ends the wait if the interface is in the wanted
 * state.
 */
static void judge(libxl__link_await *await)
{
    const int error = await->look.errnoval;
    const bool present = !error;
    if (error && error != ENODEV) {
        end_await(await, error);
    } else if (present == await->present) {
        end_await(await, 0);
    }
    if (present)
        await->index = await->look.info.index;
}

int libxl__link_await_poll(libxl__ao *ao, libxl__link_await *await)
{
    while (!await->done && await->look.done) {
        judge(await);
        if (await->done || !await->again)
            break;
        await->again = false;
        const int rc = libxl__link_look(ao, &await->look, await->name);
        if (rc)
            return rc;
    }
    if (!await->done)
        return LIBXL__AO_WAIT;
    libxl__source_stop(ao->ctx, &await->source);
    return await->errnoval ? libxl__ao_fail(ao, rtnetlink_rc(await->errnoval), "%s: %s", await->name,
                                            strerror(await->errnoval))
                           : 0;
}
