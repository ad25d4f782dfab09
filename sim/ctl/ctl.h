/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of aioxen-sim-ctl. Each is in the file of its subject. main.c has the table of the words that select a
 * command. Each command parses its arguments, and ends the program if they are invalid. The program has one thread.
 * Call the commands without machine->lock: a command takes the lock if it needs it.
 */
#ifndef AIOXEN_SIM_CTL_H
#define AIOXEN_SIM_CTL_H

#include "machine.h"

/* Prints an error message, and ends the program. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Returns the number in a text, or fails if the text is no number up to `max`. `what` names the text in the message. */
uint64_t number_in(const char *text, const char *what, uint64_t max);

/* The commands. argv[0] is the first argument after the command's words. */
void fault_add(int argc, char **argv);
void fault_list(int argc, char **argv);
void fault_clear(int argc, char **argv);
void fault_check_spec(int argc, char **argv);
void calls_list(int argc, char **argv);
void names_list(int argc, char **argv);
void guest_shutdown(int argc, char **argv);
void log_dirty_list(int argc, char **argv);
void nodes_set(int argc, char **argv);
void xenstored_stop(int argc, char **argv);
void xenstored_cont(int argc, char **argv);
void xenstored_kill(int argc, char **argv);
void xenstored_start(int argc, char **argv);
void xenconsoled_stop(int argc, char **argv);
void xenconsoled_cont(int argc, char **argv);
void xenconsoled_kill(int argc, char **argv);
void backend_behaves(int argc, char **argv);
void frontend_behaves(int argc, char **argv);
void qemu_behaves(int argc, char **argv);
void behaviours_clear(int argc, char **argv);
void guest_is_hostile(int argc, char **argv);
void loops_list(int argc, char **argv);
void loop_take(int argc, char **argv);
void loop_free(int argc, char **argv);
void links_list(int argc, char **argv);
void link_add(int argc, char **argv);
void link_delete(int argc, char **argv);
void link_join(int argc, char **argv);
void run_inside(int argc, char **argv);

#endif
