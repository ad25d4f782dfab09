/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen-sim-qemu: the program that a world has as /usr/libexec/xen-qemu-system-i386. qemu.h describes what
 * it simulates, and the lock. The command "aioxen-sim-ctl qemu" sets how it behaves.
 */
#include "qemu.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct options options;

static bool is_served(const struct kind *k)
{
    return k->qemu;
}

/*
 * Returns whether the file of a disk or the directory of a share exists. If it is missing, writes an error
 * message to standard error, and nowhere else, as QEMU does.
 */
static bool is_there(const struct device *d)
{
    const bool disk = !strcmp(d->kind->name, "qdisk"), share = !strcmp(d->kind->name, "9pfs");
    char path[PATH_SIZE + 16], value[PATH_SIZE];
    if (!disk && !share)
        return true;
    snprintf(path, sizeof path, "%s/%s", d->backend, disk ? "params" : "path");
    store_read(path, value, sizeof value);
    const char *file = disk && strchr(value, ':') ? strchr(value, ':') + 1 : value;
    if (!*file || !access(file, R_OK))
        return true;
    fprintf(stderr, "qemu: xen be: %s-%u: Could not open '%s': %s\n", d->kind->name, d->number, file,
            strerror(errno));
    return false;
}

/* Opens a terminal for a console, and writes its path to xenstore as QEMU does. */
static void make_terminal(const struct device *d)
{
    char path[PATH_SIZE + 16], output[16], name[108];
    int master;
    snprintf(path, sizeof path, "%s/output", d->frontend);
    if (strcmp(store_read(path, output, sizeof output), "pty") != 0 || !pty_open(&master, name))
        return;
    snprintf(path, sizeof path, "%s/tty", d->frontend);
    store_write(d->frontend, path, name, strlen(name));
}

static bool step(struct device *d)
{
    const bool console = !strcmp(d->kind->name, "console");
    if (console && !d->number)
        return false; /* xenconsoled serves the first console */
    if (d->states[BACKEND] == XenbusStateInitialising && !d->scripted) {
        d->scripted = true;
        d->broken = !is_there(d);
        if (console)
            make_terminal(d);
    }
    return !d->broken && (backend_step(d) || (console && frontend_step(d)));
}

static void on_end(int number)
{
    chardevs_remove(&options);
    _exit(number == SIGTERM || number == SIGHUP || number == SIGINT ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void remove_sockets(void)
{
    chardevs_remove(&options);
}

static void print_nonsense(uint32_t count)
{
    char value[HOSTILE_SIZE];
    for (uint32_t i = 0; i < count; i++)
        fwrite(value, 1, hostile_value(i, value), stderr);
}

struct behaviour look_at_behaviour(const struct options *o)
{
    machine_lock();
    const struct behaviour b = behaviour_of(QEMU, o->domid, "", 0);
    machine_unlock();
    *lies = *dying_words = 0;
    if (b.conduct == LIES)
        snprintf(lies, sizeof lies, "%s", b.text[0] ? b.text : "garbage");
    if (b.conduct == DELETES)
        snprintf(dying_words, sizeof dying_words, "%s", b.text[0] ? b.text : "it dies");
    return b;
}

/* Carries out the behaviours that take effect before QEMU serves any device. */
static void misbehave(void)
{
    const struct behaviour b = look_at_behaviour(&options);
    if (b.conduct == NONSENSE)
        print_nonsense(b.amount ? b.amount : 6000);
    if (b.conduct == FORKS && !fork())
        for (;;)
            pause(); /* the child keeps all descriptors of QEMU open until the world ends */
    options.trays_locked = b.conduct == REFUSES;
    if (b.conduct == SLOW)
        usleep(b.amount * 1000);
    if (b.conduct == FAILS) {
        fprintf(stderr, "qemu: %s\n", b.text[0] ? b.text : "could not initialise");
        exit(EXIT_FAILURE);
    }
    while (b.conduct == MUTE)
        pause();
}

void machine_runs(struct options *o)
{
    char path[64];
    const bool ran = o->running;
    o->frozen = false;
    if (o->incoming >= 0)
        return;
    snprintf(path, sizeof path, "device-model/%u/state", o->domid);
    xs_write(store, XBT_NULL, path, "running", 7);
    o->running = true;
    if (!ran)
        chardevs_tell(o, "RESUME");
}

/* Reads the state of the devices. The monitor can be used some time before this call. */
static void read_state(void)
{
    if (!state_read(&options)) {
        fprintf(stderr,
                "qemu: error while loading state\nqemu: load of migration failed: Invalid argument\n");
        exit(EXIT_FAILURE);
    }
    if (!options.frozen)
        machine_runs(&options);
}

/* Makes the network interface of the emulated card. The interface disappears when this process ends. */
static bool make_interface(void)
{
    int error = 0;
    if (!*options.interface)
        return true;
    machine_lock();
    error = host_link_add(options.interface, "tun");
    if (!error)
        host_link_find(options.interface)->owner = getpid();
    machine_unlock();
    if (error)
        fprintf(stderr, "qemu: could not configure /dev/net/tun (%s): %s\n", options.interface,
                strerror(-error));
    return !error;
}

int main(int argc, char **argv)
{
    char below[16], self[16];
    (void)argc;
    signal(SIGTERM, on_end);
    signal(SIGHUP, on_end);
    signal(SIGINT, on_end);
    atexit(remove_sockets);
    if (!options_read(&options, argv))
        return EXIT_FAILURE;
    setenv("AIOXEN_SIM_DIR", "/run/aioxen-sim", 1);
    unsetenv("AIOXEN_SIM_FAULTS"); /* the faults are meant for the tested program, not for this program */
    if (!machine_attach() || !store_open()) {
        perror("qemu: xen");
        return EXIT_FAILURE;
    }
    misbehave();
    if (!chardevs_open(&options) || !make_interface())
        return EXIT_FAILURE;
    snprintf(below, sizeof below, "/%u", options.domid);
    play_watch((uint32_t)atoi(store_read("domid", self, sizeof self)), is_served, below);
    state_begin(&options);
    if (!options.hvm || !options.frozen)
        machine_runs(&options);
    for (;;) {
        play_turn(step);
        chardevs_wait(&options, xs_fileno(store), waiting || options.incoming >= 0 ? LOOK_AGAIN_MS : -1);
        if (options.incoming >= 0)
            read_state();
    }
}
