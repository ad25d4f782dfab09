/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests, files and programs of the sweeps over operations that suspend, save, resume or restore domains.
 * Only one thread may call these functions. */
#ifndef SAVING_H
#define SAVING_H

#include <stdbool.h>

#include <libxl.h>

/* Returns whether the operation suspends, saves, resumes or restores a domain. */
bool saving_is(unsigned operation);
/* Call saving_begin() before the other functions, and saving_end() after them. */
void saving_begin(void);
void saving_end(void);
/* Makes sure that there is a file with a saved domain. The domain has a disk. */
void saving_prepare(libxl_ctx *ctx);
/* Makes a PVH guest that runs. The first letter of `command_line` says what the guest does (sim/README.md). */
libxl_domid saving_guest(libxl_ctx *ctx, const char *command_line);
/* Makes an HVM guest that runs and obeys requests. `with_disk` gives it the disk xvde. */
libxl_domid saving_hvm_guest(libxl_ctx *ctx, bool with_disk);
/* saving_sink() returns a descriptor that discards what is written to it. saving_source() returns a
 * descriptor of the file with the saved domain, at its beginning. */
int saving_sink(void);
int saving_source(void);
/* saving_receiver() returns a descriptor from which all messages of a receiver can be read. The receiver accepts a
 * request, and lets the guest run. saving_sender() returns a descriptor from which a request, the saved domain and
 * all further messages of a sender can be read. */
int saving_receiver(void);
int saving_sender(void);
/* Suspends the guest at once, without asking it. Makes no hypercall if the domain does not run. */
void saving_suspend(libxl_domid domid);
/* Stops the guest with the reason by which a guest asks for a soft reset. */
void saving_ask_reset(libxl_domid domid);
/* Waits until no program that saves or restores is left. Fails the test if one is left after 20 s. */
void saving_settle(void);
/* Fails the test with the message `what` if the domain does not exist, is suspended or is paused. */
void saving_check_runs(libxl_domid domid, const char *what);

#endif
