/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests of a world and what they do. One thread; machine->lock is taken inside. */
#ifndef AIOXEN_SIM_GUEST_H
#define AIOXEN_SIM_GUEST_H

#include "machine.h"

bool guests_attach(void); /* become the player of all guests; false: errno */
_Noreturn void guests_play(void);

#endif
