/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client of xenstore that uses the ring of the guest. It sends one request at a time, and has one watch. If a
 * watch event arrives while the client waits for a reply, it sets "fired".
 */
#include "guest.h"

#define TOKEN "t"

static bool fired;

#define RING_INDEX(index) ((index) & (XENSTORE_RING_SIZE - 1))

static void send_bytes(const void *data, size_t length)
{
    struct xenstore_domain_interface *ring = guest.store;
    const char *bytes = data;

    for (size_t i = 0; i < length; i++) {
        while (__atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE) + XENSTORE_RING_SIZE == ring->req_prod)
            wait_event(guest.store_port, 0);
        ring->req[RING_INDEX(ring->req_prod)] = bytes[i];
        __atomic_store_n(&ring->req_prod, ring->req_prod + 1, __ATOMIC_RELEASE);
    }
}

/* Receives `length` bytes. Stores at most `size` of these bytes and drops the other bytes. */
static void receive_bytes(void *data, size_t size, size_t length)
{
    struct xenstore_domain_interface *ring = guest.store;
    char *bytes = data;

    for (size_t i = 0; i < length; i++) {
        while (__atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) == ring->rsp_cons)
            wait_event(guest.store_port, 0);
        if (i < size)
            bytes[i] = ring->rsp[RING_INDEX(ring->rsp_cons)];
        __atomic_store_n(&ring->rsp_cons, ring->rsp_cons + 1, __ATOMIC_RELEASE);
    }
}

/* Reads one message. Returns the message's type. Stores as much of the message's payload as fits. */
static uint32_t receive(char *payload, size_t size)
{
    struct xsd_sockmsg header;

    receive_bytes(&header, sizeof(header), sizeof(header));
    if (header.type == XS_WATCH_EVENT)
        size = 0;
    receive_bytes(payload, size, header.len);
    if (size)
        payload[header.len < size ? header.len : size - 1] = '\0';
    notify(guest.store_port); /* This event notifies xenstored that the ring has room again. */
    fired |= header.type == XS_WATCH_EVENT;
    return header.type;
}

/* Sends a request and reads the reply. `first` is sent with a terminating NUL. `second` is sent with a
 * terminating NUL if `terminated` is true. Returns the type of the reply. */
static uint32_t request(uint32_t type, const char *first, const char *second, bool terminated, char *reply,
                        size_t size)
{
    size_t first_length = strlen(first) + 1;
    size_t second_length = second ? strlen(second) + terminated : 0;
    struct xsd_sockmsg header = {.type = type, .len = (uint32_t)(first_length + second_length)};
    uint32_t answer;

    send_bytes(&header, sizeof(header));
    send_bytes(first, first_length);
    send_bytes(second, second_length);
    notify(guest.store_port);
    do
        answer = receive(reply, size);
    while (answer == XS_WATCH_EVENT);
    return answer;
}

void xenstore_write(const char *path, const char *value)
{
    request(XS_WRITE, path, value, false, NULL, 0);
}

void xenstore_watch(const char *path)
{
    request(XS_WATCH, path, TOKEN, true, NULL, 0);
}

void xenstore_read(const char *path, char *value, size_t size)
{
    if (request(XS_READ, path, NULL, false, value, size) != XS_READ)
        *value = '\0';
}

bool xenstore_wait(uint64_t deadline)
{
    while (!fired) {
        struct xenstore_domain_interface *ring = guest.store;

        if (__atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) != ring->rsp_cons)
            receive(NULL, 0);
        else if (!wait_event(guest.store_port, deadline))
            return false;
    }
    fired = false;
    return true;
}
