/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel that refuses what it has too many of. For a thread of the test's own: there is no way back. */
#ifndef REFUSE_H
#define REFUSE_H

/* From now on this thread can make no process and no thread: EAGAIN. */
void refuse_processes(void);

#endif
