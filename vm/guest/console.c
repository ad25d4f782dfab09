/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes output to the console ring. Output that does not fit into the ring is dropped, so the guest does not
 * wait if no program reads the console.
 */
#include "guest.h"

void console_write(const char *text)
{
    struct xencons_interface *ring = guest.console;

    if (!ring)
        return;
    for (; *text && ring->out_prod - ring->out_cons < sizeof(ring->out); ring->out_prod++)
        ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = *text++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    notify(guest.console_port);
}
