/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A part of the state of the three operations that make a domain, and the phases that work on this part:
 * domain_create_new (domain_create.c), domain_restore (domain_restore.c) and domain_soft_reset (domain_soft_reset.c).
 * In the IDL, these phases have shared="making". An operation may have further phases in its own file.
 *
 * Owns: the domain and its mark (marks.h), until the operation completes with success. The undo of the phase that sets
 * build.made, or libxl__making_take_down, takes the domain down, and removes its nodes and its mark. The undo of `name`
 * removes the mark if no domain was made. Call all functions with the context locked.
 */
#ifndef LIBXL__MAKING_H
#define LIBXL__MAKING_H

#include "create.h"
#include "create_boot.h"
#include "create_devices.h"
#include "create_identity.h"

/* Embed this in the operation's state, under the name `making`; zero-initialise it. */
typedef struct libxl__making {
    libxl_domain_config *config; /* the operation's input; libxl__making_take_config sets it */
    libxl__create_identity identity;
    libxl__pool_names pools;
    libxl__nested teardown; /* the nested operation of the undo, reserved before the mark is written */
    libxl__build build;
    libxl__create_boot *boot; /* the state of the boot loader; NULL: the configuration has no boot loader */
    libxl__domain_source domain;
    /*
     * Limits how many creations are between the build and the console; granted before the build, and given
     * back when xenconsoled serves the console.
     */
    libxl__admission admission;
    /* The wait for the terminal's node, started before the domain is introduced. */
    libxl__await console;
    /* The devices of the configuration. domain_restore checks them, before it receives the domain and adds them. */
    libxl__create_devices devices;
    libxl__qemu_saved saved; /* the state with which QEMU starts; `nodes` NULL: none */
    /* In domain_soft_reset: the terminal that xenconsoled has for the domain, in the operation's memory; NULL: none. */
    const char *terminal;
    libxl__userdata record; /* stores the configuration while xenstored handles the nodes */
    libxl__xs_batch *nodes;
    /*
     * The number of domains that the context had introduced when this domain was introduced, including this domain. 0:
     * the domain is not introduced.
     */
    uint64_t introduced;
    bool has_console; /* the node that lets xenconsoled serve the console was sent */
    bool stopping;    /* the operation was asked to stop */
    bool undone;      /* the domain is being taken down, so its time limits are not extended */
} libxl__making;

/* ---- making.c: functions for the phases */

/*
 * Sets making->config and the members of making->build that come from the configuration. The messages of the operation
 * name the domain from now on. Call this first.
 */
void libxl__making_take_config(libxl__ao *ao, libxl__making *making, libxl_domain_config *config);
/* Returns 0, or DOMAIN_DESTROYED, recorded in ao, if another program has destroyed the domain. */
int libxl__making_check_domain(libxl__ao *ao, const libxl__making *making);
/*
 * Returns the error for a step that has returned `rc`. If another program has destroyed the domain, a step may fail
 * with any error. In this case the function returns DOMAIN_DESTROYED, recorded in ao.
 */
int libxl__making_reason(libxl__ao *ao, const libxl__making *making, int rc);
/*
 * Start a part of the build, and wait for its end and until the domain has its UUID. A stopped operation needs no UUID.
 * Call these from a phase's start and poll. Errors, recorded in ao: those of libxl__build_start, of the build and of
 * libxl__identity_give_uuid; ABORTED.
 */
int libxl__making_run(libxl__ao *ao, libxl__making *making, libxl__build_step step);
int libxl__making_built(libxl__ao *ao, libxl__making *making);
/* Takes the domain down, if it was made. Call this from a phase's undo. */
int libxl__making_take_down(libxl__ao *ao, libxl__making *making);
/*
 * Check whether the devices of the configuration could be added now (libxl__device_groups_check). Call these from a
 * phase's start, poll and stop. Errors, recorded in ao: those of the additions.
 */
int libxl__making_check_start(libxl__ao *ao, libxl__making *making);
int libxl__making_check_poll(libxl__ao *ao, libxl__making *making);
void libxl__making_check_stop(libxl__ao *ao, libxl__making *making);

/* ---- the functions of phases, which phase.c calls. making_begin.c: the phases until the domain has its memory */

int libxl__making_name_start(libxl__ao *ao, libxl__making *making);
int libxl__making_name_poll(libxl__ao *ao, libxl__making *making);
int libxl__making_name_undo(libxl__ao *ao, libxl__making *making);
int libxl__making_make_start(libxl__ao *ao, libxl__making *making);
int libxl__making_make_poll(libxl__ao *ao, libxl__making *making);
void libxl__making_make_stop(libxl__ao *ao, libxl__making *making);
int libxl__making_make_undo(libxl__ao *ao, libxl__making *making);
int libxl__making_admission_start(libxl__ao *ao, libxl__making *making);
int libxl__making_admission_poll(libxl__ao *ao, libxl__making *making);
int libxl__making_build_start(libxl__ao *ao, libxl__making *making);
int libxl__making_build_poll(libxl__ao *ao, libxl__making *making);
void libxl__making_build_stop(libxl__ao *ao, libxl__making *making);

/* making_end.c: the phases until the domain is complete */

int libxl__making_introduce_start(libxl__ao *ao, libxl__making *making);
int libxl__making_introduce_poll(libxl__ao *ao, libxl__making *making);
int libxl__making_introduce_undo(libxl__ao *ao, libxl__making *making);
int libxl__making_console_start(libxl__ao *ao, libxl__making *making);
int libxl__making_console_poll(libxl__ao *ao, libxl__making *making);
int libxl__making_devices_start(libxl__ao *ao, libxl__making *making);
int libxl__making_devices_poll(libxl__ao *ao, libxl__making *making);
void libxl__making_devices_stop(libxl__ao *ao, libxl__making *making);
int libxl__making_unmark_start(libxl__ao *ao, libxl__making *making);
int libxl__making_unmark_poll(libxl__ao *ao, libxl__making *making);

#endif
