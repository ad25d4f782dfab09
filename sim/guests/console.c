/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console of a guest. At its start the guest writes its command line. The word console=WORD in the
 * command line selects what the guest does with input:
 *
 *   echo   the guest writes each line of input back, after "echo: "
 *   flood  the guest writes lines without end, as fast as they are read
 *
 * Without this word, the guest discards input. Output that does not fit into the ring is dropped.
 *
 * Lock: machine->lock. Lifetime: the page is mapped from console_open to console_close.
 */
#include "guests.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static void put(struct console *c, const struct domain *d, const char *text)
{
    struct xencons_interface *page = c->page;
    uint32_t at = page->out_prod;
    const uint32_t end = __atomic_load_n(&page->out_cons, __ATOMIC_ACQUIRE) + sizeof page->out;
    for (; *text && at != end; at++)
        page->out[MASK_XENCONS_IDX(at, page->out)] = *text++;
    __atomic_store_n(&page->out_prod, at, __ATOMIC_RELEASE);
    channel_notify(d->domid, c->port);
}

void console_write(struct console *c, const struct domain *d, const char *text)
{
    if (c->page)
        put(c, d, text);
}

bool console_open(struct console *c, struct domain *d, uint16_t listener, const struct boot_info *info)
{
    struct channel *channel = channel_get(d->domid, info->console_port);
    uint32_t frame = frame_of(d, info->console_frame);
    char line[sizeof info->command_line + 16];
    if (!channel || channel->state == CHANNEL_FREE || !frame)
        return false;
    c->page = frames_map(NULL, PROT_READ | PROT_WRITE, 0, 1, &frame);
    if (!c->page)
        return false;
    c->port = info->console_port;
    c->echoes = strstr(info->command_line, " console=echo");
    c->floods = strstr(info->command_line, " console=flood");
    channel->listener = listener;
    channel_unmask(d->domid, c->port);
    snprintf(line, sizeof line, "tiny: %s\n", info->command_line);
    put(c, d, line);
    return true;
}

void console_close(struct console *c)
{
    if (c->page)
        munmap(c->page, XC_PAGE_SIZE);
    c->page = NULL;
}

/* Adds an octet of input to the line. Returns whether the octet completes the line. */
static bool take(struct console *c, char octet)
{
    const bool ends = octet == '\n' || octet == '\r';
    if (!ends && c->length < sizeof c->line - 1)
        c->line[c->length++] = octet;
    return ends;
}

static void flood(struct console *c, const struct domain *d)
{
    char text[32];
    while (c->page->out_prod - __atomic_load_n(&c->page->out_cons, __ATOMIC_ACQUIRE) <=
           sizeof c->page->out - sizeof text) {
        snprintf(text, sizeof text, "flood %u\n", c->lines++);
        put(c, d, text);
    }
}

void console_step(struct console *c, const struct domain *d)
{
    char reply[sizeof c->line + 16];
    if (!c->page)
        return;
    uint32_t cons = c->page->in_cons;
    const uint32_t prod = __atomic_load_n(&c->page->in_prod, __ATOMIC_ACQUIRE);
    for (; cons != prod; cons++) {
        if (!take(c, c->page->in[MASK_XENCONS_IDX(cons, c->page->in)]))
            continue;
        c->line[c->length] = 0;
        c->length = 0;
        snprintf(reply, sizeof reply, "echo: %s\n", c->line);
        if (c->echoes)
            put(c, d, reply);
    }
    if (cons != c->page->in_cons) {
        __atomic_store_n(&c->page->in_cons, cons, __ATOMIC_RELEASE);
        channel_notify(d->domid, c->port);
    }
    if (c->floods)
        flood(c, d);
}
