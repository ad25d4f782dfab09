/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "refuse.h"

#include "harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { MOST_CALLS = 4 };

static void refuse(const int *calls, int count, unsigned error)
{
    struct sock_filter filter[MOST_CALLS + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    for (int i = 0; i < count; i++)
        filter[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
                                                     (unsigned char)(count - i), 0);
    filter[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[count + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    struct sock_fprog rules = {.len = (unsigned short)(count + 3), .filter = filter};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &rules), 0);
}

void refuse_processes(void)
{
    static const int calls[MOST_CALLS] = {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork};
    refuse(calls, MOST_CALLS, EAGAIN);
}

void refuse_random_numbers(void)
{
    static const int calls[] = {SYS_getrandom};
    refuse(calls, 1, ENOSYS);
}
