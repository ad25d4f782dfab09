/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the kernel refuse new processes and threads. It cannot be undone, so the test calls it on its own thread. */
#ifndef REFUSE_H
#define REFUSE_H

/* From now on this thread cannot create a process or a thread: the system calls fail with EAGAIN. */
void refuse_processes(void);

#endif
