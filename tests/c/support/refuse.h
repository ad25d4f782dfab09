/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the kernel refuse system calls of the calling thread, for the rest of the thread's life. So a test
 * calls these functions on a separate thread. */
#ifndef REFUSE_H
#define REFUSE_H

/* From now on this thread cannot create a process or a thread. The system calls fail with EAGAIN. */
void refuse_processes(void);
/* From now on this thread gets no random numbers. getrandom() fails with ENOSYS. */
void refuse_random_numbers(void);

#endif
