/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations, for the tests that run each of them. The files in operations/ have a row for each operation
 * that has an input besides a domid, or that only other operations start. Such a row says how the operation
 * is started synchronously (starter.h), and in which scenario its phases wait (scenarios.h). Other rows say
 * which phases do not wait in the sweep. Any thread may call these functions.
 *
 * To add an operation, write its row and the row's functions in the file of the operation's family.
 */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "core.h"
#include "scenarios.h"
#include "starter.h"

#include "_libxl_operations_internal.h"

#include <stdlib.h>
#include <string.h>

struct operation_row {
    unsigned operation;
    /* The row is for this phase only. NULL: the row is for all phases that have no row of their own. */
    const char *phase;
    /* Runs the operation synchronously. Allocates no memory itself. NULL: the operation is hidden. */
    int (*start)(struct starter *s);
    unsigned started_by; /* The operation that the sweep starts: `operation` itself, or its parent. */
    void (*fill)(struct subject *s, void *args); /* Fills in the args. NULL: the only input is a domid. */
    enum scenario_guest guest;
    bool swept;  /* The row has a scenario. It is false if the operation shares its phases, or never waits. */
    bool hidden; /* A program cannot start the operation itself. */
    bool takes_pci; /* See starter_takes_pci(). */
    bool idle;      /* The phase does not wait in the sweep, although it can wait. */
    bool idle_hvm;  /* Like idle, but only if the sweep creates an HVM guest. */
};

/* The rows of a family of operations. */
struct operation_family {
    const struct operation_row *rows;
    size_t count;
};
#define OPERATION_FAMILY(name)                                                                               \
    const struct operation_family name = {.rows = rows, .count = sizeof(rows) / sizeof(*rows)}

/* Returns the row of an operation's phase. `phase` NULL: the row for the phases without a row of their own. Returns
 * NULL if there is no such row. */
const struct operation_row *operations_row(unsigned operation, const char *phase);

/* Returns whether a phase waits in the sweep. `hvm`: the sweep creates an HVM guest. */
bool operations_phase_waits(const libxl__phase *phase, bool hvm);

/* ---- the members of a row */

/* The members of a row for an operation that start_NAME starts. The row has no scenario. */
#define STARTED(OPERATION, name) .operation = LIBXL__OP_##OPERATION, .start = start_##name
/* Like STARTED. The phases of the operation wait if the guest is SCENARIO_GUEST and `filling` fills in the
 * inputs. */
#define SWEPT(OPERATION, name, filling, GUEST)                                                               \
    STARTED(OPERATION, name), .started_by = LIBXL__OP_##OPERATION, .fill = (filling),                        \
                              .guest = SCENARIO_##GUEST, .swept = true
/* A hidden operation without a scenario. */
#define HIDDEN(OPERATION) .operation = LIBXL__OP_##OPERATION, .hidden = true
/* A hidden operation. The sweep starts the operation PARENT, which runs it. `filling` sets the inputs of PARENT. */
#define HIDDEN_IN(OPERATION, PARENT, filling, GUEST)                                                         \
    HIDDEN(OPERATION), .started_by = LIBXL__OP_##PARENT, .fill = (filling), .guest = SCENARIO_##GUEST,       \
                       .swept = true
/* The scenario of one phase. */
#define PHASE_IN(OPERATION, name, PARENT, filling, GUEST)                                                    \
    .operation = LIBXL__OP_##OPERATION, .phase = (name), .started_by = LIBXL__OP_##PARENT,                   \
    .fill = (filling), .guest = SCENARIO_##GUEST, .swept = true

/* A phase that can wait, but never waits in the sweep. So the sweep injects no fault that needs a waiting phase. */
#define IDLE(OPERATION, name) .operation = LIBXL__OP_##OPERATION, .phase = (name), .idle = true

/* ---- the functions of a row */

/* Defines start_NAME for a call without a result, or with a result that owns no memory. */
#define STARTS_PLAIN(name, declarations, call)                                                               \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        declarations;                                                                                        \
        return call;                                                                                         \
    }
/* Defines start_NAME for a call whose result `out` has the type `type`. start_NAME disposes of `out`. */
#define STARTS(name, type, call)                                                                             \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        libxl_##type out;                                                                                    \
        const int rc = call;                                                                                 \
        libxl_##type##_dispose(&out);                                                                        \
        return rc;                                                                                           \
    }
/* Defines start_NAME for a call that cannot succeed in the tests, because they do not have what it needs. The call
 * returns `error` then, and start_NAME returns 0. */
#define STARTS_WITHOUT(name, error, declarations, call)                                                      \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        declarations;                                                                                        \
        const int rc = call;                                                                                 \
        return rc == (error) ? 0 : rc;                                                                       \
    }
/* Like STARTS_WITHOUT, for a call whose result is the string `out`. `error` 0: the call can succeed. */
#define STARTS_STRING(name, error, call)                                                                     \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        char *out = NULL;                                                                                    \
        const int rc = call;                                                                                 \
        free(out);                                                                                           \
        return rc == (error) ? 0 : rc;                                                                       \
    }
/* Defines fill_NAME, which fills in the inputs `args->in` and the results `args->out` of an operation. */
#define FILLS(name, operation, ...)                                                                          \
    static void fill_##name(struct subject *s, void *p)                                                      \
    {                                                                                                        \
        libxl__##operation##_args *args = p;                                                                 \
        (void)s;                                                                                             \
        __VA_ARGS__;                                                                                         \
    }
/* Like FILLS. Also sets the input `domid` to the guest. */
#define FILLS_GUEST(name, operation, ...) FILLS(name, operation, args->in.domid = s->guest, __VA_ARGS__)

/* Fills in a creation of a PV guest with a disk and a boot loader. */
void operations_fill_create(struct subject *s, void *p);

/* Stores the configuration of the guest that the next start of domain_soft_reset resets. */
void operations_prepare_reset(libxl_ctx *ctx, libxl_domid guest);

#endif
