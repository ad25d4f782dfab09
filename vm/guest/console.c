/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The console ring, output only: what does not fit is dropped, so that nobody has to listen.
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
