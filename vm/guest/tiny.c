/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest. The first letter of its command line selects what it does:
 *   p   poweroff (also without a letter)        b   block for ever; ignore control/shutdown
 *   r   reboot                                  s   spin: burn CPU for ever
 *   c   crash                                   dN  poweroff after N/10 s (one digit)
 *   l   listen: obey control/shutdown           lN  listen, and poweroff after N/10 s
 *   kX  ask for a soft reset (PVH), and do X after it; the console then has "tiny: X"
 */
#include "guest.h"

static const struct {
    const char *request;
    unsigned reason;
} requests[] = {
    {"poweroff", SHUTDOWN_poweroff},
    {"halt", SHUTDOWN_poweroff},
    {"reboot", SHUTDOWN_reboot},
    {"suspend", SHUTDOWN_suspend},
};

/* The nodes by which this guest announces the requests that it obeys. */
static const char *const features[] = {
    "control/feature-poweroff",
    "control/feature-reboot",
    "control/feature-suspend",
};

static void obey(void)
{
    char value[16];

    xenstore_read("control/shutdown", value, sizeof(value));
    if (!*value)
        return;
    xenstore_write("control/shutdown", ""); /* An empty value acknowledges the request. */
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (equal(value, requests[i].request))
            shutdown(requests[i].reason);
}

static void listen(uint64_t deadline)
{
    if (!guest.store)
        block();
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        xenstore_write(features[i], "1");
    xenstore_watch("control/shutdown");
    while (xenstore_wait(deadline))
        obey();
    shutdown(SHUTDOWN_poweroff);
}

/*
 * Writes the command line to the console. While it begins with a `k`, asks for a soft reset, drops the `k`,
 * and starts again. A soft reset closes all event channels and replaces the shared info page, so the guest
 * looks them up again. Returns the rest of the command line.
 */
static const char *begin(const struct start_info *pv, const void *pvh)
{
    for (unsigned resets = 0;; resets++) {
        platform_init(pv, pvh);
        const char *rest = guest.command_line + resets;
        console_write("tiny: ");
        console_write(rest);
        console_write("\n");
        if (*rest != 'k')
            return rest;
        shutdown(SHUTDOWN_soft_reset);
    }
}

void guest_main(const struct start_info *pv, const void *pvh)
{
    uint64_t deadline = 0;
    const char *letter = begin(pv, pvh);
    if (*letter && letter[1] >= '0' && letter[1] <= '9')
        deadline = now() + (uint64_t)(letter[1] - '0') * NANOSECONDS_PER_TENTH;

    switch (*letter) {
    case 'r': shutdown(SHUTDOWN_reboot); break;
    case 'c': shutdown(SHUTDOWN_crash); break;
    case 'l': listen(deadline); break;
    case 'b': block();
    case 's':
        for (;;)
            __asm__ volatile("pause");
    case 'd':
        while (deadline && wait_event(0, deadline))
            ;
        /* fall through */
    default: shutdown(SHUTDOWN_poweroff);
    }
    block();
}
