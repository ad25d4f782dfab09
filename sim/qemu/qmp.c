/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers the requests to QEMU's monitor. A request is not parsed. It is only searched for words, because all
 * requests come from toolstacks. Owns the list of plugged devices, `lies` and `dying_words`. The program has one
 * thread, so it needs no lock for them.
 */
#include "qemu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION "{\"qemu\": {\"micro\": 19, \"minor\": 2, \"major\": 7}, \"package\": \"played\"}"

const char qmp_greeting[] = "{\"QMP\": {\"version\": " VERSION ", \"capabilities\": []}}\r\n";

char dying_words[72], lies[72];

/*
 * Finds the string or number after "NAME": in a line of JSON. Copies it to `value`. Returns whether it was
 * found.
 */
static bool find(const char *line, const char *name, char *value, size_t size)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *at = strstr(line, key);
    if (!at)
        return false;
    at += strlen(key);
    at += strspn(at, ": ");
    const bool quoted = *at == '"';
    at += quoted;
    snprintf(value, size, "%.*s", (int)strcspn(at, quoted ? "\"" : ",} "), at);
    return true;
}

/* Returns the part of a line that begins with the arguments of its command. */
static const char *arguments_of(const char *line)
{
    const char *arguments = strstr(line, "\"arguments\"");
    return arguments ? arguments : "";
}

static int list_chardevs(const struct options *o, char *to, size_t size)
{
    size_t at = (size_t)snprintf(to, size, "[");
    for (uint32_t i = 0; i < o->nr_chardevs && at < size; i++)
        at += (size_t)snprintf(
            to + at, size - at, "%s{\"frontend-open\": false, \"filename\": \"%s%s\", \"label\": \"%s\"}",
            i ? ", " : "", o->chardevs[i].pty ? "pty:" : "unix:", o->chardevs[i].path, o->chardevs[i].id);
    return snprintf(to + at, size - at, "]");
}

/* Each command writes its result to `to`. Returns NULL, or an error message. */
typedef const char *command_function(struct options *o, const char *line, char *to, size_t size);

static const char *nothing(struct options *o, const char *line, char *to, size_t size)
{
    (void)o, (void)line;
    snprintf(to, size, "{}");
    return NULL;
}

static const char *version(struct options *o, const char *line, char *to, size_t size)
{
    (void)o, (void)line;
    snprintf(to, size, VERSION);
    return NULL;
}

static const char *status(struct options *o, const char *line, char *to, size_t size)
{
    (void)line;
    snprintf(to, size, "{\"running\": %s, \"singlestep\": false, \"status\": \"%s\"}",
             o->running ? "true" : "false",
             o->running         ? "running"
             : o->incoming >= 0 ? "inmigrate"
             : o->frozen        ? "prelaunch"
                                : "paused");
    return NULL;
}

static const char *vnc(struct options *o, const char *line, char *to, size_t size)
{
    const char *colon = strrchr(o->vnc, ':');
    (void)line;
    if (!colon)
        snprintf(to, size, "{\"enabled\": false}");
    else
        snprintf(to, size,
                 "{\"enabled\": true, \"host\": \"%.*s\", \"service\": \"%d\", \"family\": \"ipv4\", "
                 "\"auth\": \"none\"}",
                 (int)(colon - o->vnc), o->vnc, 5900 + atoi(colon + 1));
    return NULL;
}

static const char *chardevs(struct options *o, const char *line, char *to, size_t size)
{
    (void)line;
    list_chardevs(o, to, size);
    return NULL;
}

static const char *cont(struct options *o, const char *line, char *to, size_t size)
{
    machine_runs(o);
    return nothing(o, line, to, size);
}

static const char *stop(struct options *o, const char *line, char *to, size_t size)
{
    if (o->running)
        chardevs_tell(o, "STOP");
    o->running = o->frozen = false;
    return nothing(o, line, to, size);
}

static struct drive *find_drive(struct options *o, const char *line)
{
    char id[32] = "";
    if (!find(line, "id", id, sizeof id))
        find(line, "device", id, sizeof id);
    for (uint32_t i = 0; i < o->nr_drives; i++)
        if (o->drives[i].removable && !strcmp(o->drives[i].id, id))
            return &o->drives[i];
    return NULL;
}

#define NO_DRIVE "there is no such drive"
#define LOCKED   "Device is locked and force was not specified, wait for tray to open and try again"

static const char *eject(struct options *o, const char *line, char *to, size_t size)
{
    char force[8] = "";
    struct drive *drive = find_drive(o, arguments_of(line));
    find(line, "force", force, sizeof force);
    nothing(o, line, to, size);
    if (!drive)
        return NO_DRIVE;
    if (o->trays_locked && *drive->file && strcmp(force, "true") != 0)
        return LOCKED;
    *drive->file = 0;
    return NULL;
}

/* Writes the path of the file behind a name /dev/fdset/N to `file`. Returns whether there is such a set. */
static bool follow_set(const struct options *o, char file[PATH_SIZE])
{
    static const char prefix[] = "/dev/fdset/";
    char link[32], found[PATH_SIZE];
    if (strncmp(file, prefix, strlen(prefix)) != 0)
        return true;
    const unsigned long number = strtoul(file + strlen(prefix), NULL, 10);
    if (number >= MAX_SETS || o->sets[number] < 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", o->sets[number]);
    const ssize_t length = readlink(link, found, sizeof found - 1);
    snprintf(file, PATH_SIZE, "%.*s", length < 0 ? 0 : (int)length, found);
    return true;
}

/* Like QEMU, checks that the new medium can be opened before it takes out the former one. */
static const char *insert(struct options *o, const char *line, char *to, size_t size)
{
    char file[PATH_SIZE] = "";
    struct drive *drive = find_drive(o, arguments_of(line));
    nothing(o, line, to, size);
    find(arguments_of(line), "filename", file, sizeof file);
    if (!drive)
        return NO_DRIVE;
    if (!follow_set(o, file) || access(file, R_OK))
        return "Could not open the file";
    if (o->trays_locked && *drive->file)
        return LOCKED;
    snprintf(drive->file, sizeof drive->file, "%s", file);
    return NULL;
}

static const char *add_descriptor(struct options *o, const char *line, char *to, size_t size)
{
    int number = 0;
    (void)line;
    while (number < MAX_SETS && o->sets[number] >= 0)
        number++;
    if (*o->passed < 0 || number == MAX_SETS)
        return "No file descriptor supplied via SCM_RIGHTS";
    o->sets[number] = *o->passed;
    *o->passed = -1;
    snprintf(to, size, "{\"fdset-id\": %d, \"fd\": %d}", number, o->sets[number]);
    return NULL;
}

static const char *remove_descriptor(struct options *o, const char *line, char *to, size_t size)
{
    char number[12] = "";
    nothing(o, line, to, size);
    const bool found = find(arguments_of(line), "fdset-id", number, sizeof number);
    const unsigned long set = strtoul(number, NULL, 10);
    if (!found || set >= MAX_SETS || o->sets[set] < 0)
        return "File descriptor set is missing";
    close(o->sets[set]);
    o->sets[set] = -1;
    return NULL;
}

static const char *drives(struct options *o, const char *line, char *to, size_t size)
{
    size_t at = (size_t)snprintf(to, size, "[");
    (void)line;
    for (uint32_t i = 0; i < o->nr_drives && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s{\"device\": \"%s\", \"file\": \"%.200s\"}",
                               i ? ", " : "", o->drives[i].id, o->drives[i].file);
    snprintf(to + at, size - at, "]");
    return NULL;
}

/* Lists the processors that are online. */
static const char *processors(struct options *o, const char *line, char *to, size_t size)
{
    size_t at = (size_t)snprintf(to, size, "[");
    (void)line;
    for (uint32_t i = 0; i < o->processors && at < size; i++)
        at += (size_t)snprintf(to + at, size - at,
                               "%s{\"thread-id\": 1, \"cpu-index\": %u, \"target\": \"i386\", "
                               "\"qom-path\": \"/machine/unattached/device[%u]\"}",
                               i ? ", " : "", i, i);
    snprintf(to + at, size - at, "]");
    return NULL;
}

/*
 * Runs a line of the monitor. It knows "info block", and "info name", which prints the name of the machine. For other
 * lines it prints an error, as QEMU does.
 */
static const char *monitor(struct options *o, const char *line, char *to, size_t size)
{
    char words[64] = "";
    size_t at = 0;
    find(line, "command-line", words, sizeof words);
    if (!strcmp(words, "info name")) {
        snprintf(to, size, "\"%s%s\\r\\n\"", o->machine, o->logs_dirty ? " logs" : "");
        return NULL;
    }
    if (strcmp(words, "info block") != 0) {
        snprintf(to, size, "\"unknown command: '%s'\\r\\n\"", words);
        return NULL;
    }
    at += (size_t)snprintf(to, size, "\"");
    for (uint32_t i = 0; i < o->nr_drives && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s: %.200s\\r\\n", o->drives[i].id,
                               *o->drives[i].file ? o->drives[i].file : "[not inserted]");
    snprintf(to + at, size - at, "\"");
    return NULL;
}

/* The ids of the plugged devices, by place; "": the place is free. */
static char plugged[32][32];

/*
 * Returns the place of the plugged device with this id. The id "" finds a free place. Returns NULL if there is none.
 */
static char *find_plugged(const char *id)
{
    for (size_t i = 0; i < sizeof plugged / sizeof *plugged; i++)
        if (!strcmp(plugged[i], id))
            return plugged[i];
    return NULL;
}

static const char *plug(struct options *o, const char *line, char *to, size_t size)
{
    char id[sizeof *plugged] = "", bus[40] = "";
    const char *arguments = strstr(line, "arguments");
    line = arguments ? arguments : line;
    find(line, "id", id, sizeof id);
    find(line, "bus", bus, sizeof bus);
    if (!*id || find_plugged(id))
        return "Duplicate device ID";
    /* The bus of a controller has the controller's id and ".0". */
    bus[strcspn(bus, ".")] = '\0';
    if (strstr(line, "usb-host") && *bus && !find_plugged(bus))
        return "Bus not found";
    char *place = find_plugged("");
    if (!place)
        return "There is no room";
    strcpy(place, id);
    return nothing(o, line, to, size);
}

static const char *unplug(struct options *o, const char *line, char *to, size_t size)
{
    char id[sizeof *plugged] = "";
    const char *arguments = strstr(line, "arguments");
    find(arguments ? arguments : line, "id", id, sizeof id);
    char *place = *id ? find_plugged(id) : NULL;
    if (!place)
        return "Device not found";
    *place = '\0';
    return nothing(o, line, to, size);
}

/* QEMU looks for a descriptor with the access mode that it needs. */
static bool is_write_only(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
}

static const char *save(struct options *o, const char *line, char *to, size_t size)
{
    char path[PATH_SIZE] = "";
    static const char sets[] = "/dev/fdset/";
    nothing(o, line, to, size);
    find(arguments_of(line), "filename", path, sizeof path);
    const bool in_set = !strncmp(path, sets, strlen(sets));
    const unsigned long set = strtoul(in_set ? path + strlen(sets) : "", NULL, 10);
    if (o->running)
        return "the machine runs";
    if (in_set && (set >= MAX_SETS || o->sets[set] < 0 || !is_write_only(o->sets[set])))
        return "Could not open '/dev/fdset'";
    const int fd = in_set ? o->sets[set] : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written = fd >= 0 && state_write(o, fd);
    if (!in_set && fd >= 0)
        close(fd);
    return written ? NULL : "An IO error has occurred";
}

static const char *log_dirty(struct options *o, const char *line, char *to, size_t size)
{
    char enable[8] = "";
    nothing(o, line, to, size);
    find(arguments_of(line), "enable", enable, sizeof enable);
    o->logs_dirty = !strcmp(enable, "true");
    return NULL;
}

/* Lists the plugged devices. The first place is 4, after the devices of the machine. */
static const char *pci(struct options *o, const char *line, char *to, size_t size)
{
    size_t at = (size_t)snprintf(to, size, "[{\"bus\": 0, \"devices\": [");
    bool any = false;
    (void)o;
    (void)line;
    for (uint32_t i = 0; i < sizeof plugged / sizeof *plugged && at < size; i++)
        if (*plugged[i]) {
            at += (size_t)snprintf(to + at, size - at,
                                   "%s{\"bus\": 0, \"slot\": %u, \"function\": 0, \"qdev_id\": \"%s\"}",
                                   any ? ", " : "", i + 4, plugged[i]);
            any = true;
        }
    snprintf(to + at, size - at, "]}]");
    return NULL;
}

static const struct {
    const char *name;
    command_function *run;
} commands[] = {
    {"query-pci", pci},
    {"qmp_capabilities", nothing},
    {"query-version", version},
    {"query-status", status},
    {"query-vnc", vnc},
    {"query-chardev", chardevs},
    {"query-block", drives},
    {"query-cpus-fast", processors},
    {"cont", cont},
    {"stop", stop},
    {"eject", eject},
    {"add-fd", add_descriptor},
    {"remove-fd", remove_descriptor},
    {"blockdev-change-medium", insert},
    {"change-vnc-password", nothing},
    {"xen-save-devices-state", save},
    {"xen-set-global-dirty-log", log_dirty},
    {"system_wakeup", nothing},
    {"device_add", plug},
    {"device_del", unplug},
    {"human-monitor-command", monitor},
};
#define NR_COMMANDS (sizeof commands / sizeof *commands)

#define LATER "later-"

/*
 * Returns whether the answer to a command must be wrong. If the kind begins with `later-`, only the answers to
 * commands that change a medium are wrong.
 */
static bool is_lie(const char *command)
{
    static const char *const changes[] = {"add-fd", "eject", "blockdev-change-medium"};
    if (strncmp(lies, LATER, strlen(LATER)) != 0)
        return *lies && strcmp(command, "qmp_capabilities") != 0;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (!strcmp(command, changes[i]))
            return true;
    return false;
}

/* Makes a wrong answer. Returns its length. */
static size_t lie(char answer[QMP_ANSWER_SIZE])
{
    const char *kind = strncmp(lies, LATER, strlen(LATER)) ? lies : lies + strlen(LATER);
    if (!strcmp(kind, "silent"))
        return 0;
    if (!strcmp(kind, "nested"))
        memset(answer, '[', QMP_ANSWER_SIZE - 3);
    else if (!strcmp(kind, "flood"))
        memset(answer, 'x', QMP_ANSWER_SIZE - 3);
    else
        return (size_t)snprintf(answer, QMP_ANSWER_SIZE, "%s\r\n",
                                strcmp(kind, "types") ? "{\"return\": }"
                                                      : "{\"return\": [[7], {\"a\": null}, 1]}");
    memcpy(answer + QMP_ANSWER_SIZE - 3, "\r\n", 3);
    return QMP_ANSWER_SIZE - 1;
}

size_t qmp_answer(struct options *o, const char *line, int *passed, char answer[QMP_ANSWER_SIZE])
{
    o->passed = passed;
    char command[64] = "", id[32] = "0", result[QMP_ANSWER_SIZE - 128];
    const char *error = NULL;
    bool known = false;
    find(line, "execute", command, sizeof command);
    find(line, "id", id, sizeof id);
    look_at_behaviour(o);
    if (*dying_words && strcmp(command, "qmp_capabilities") != 0) {
        fprintf(stderr, "qemu: %s\n", dying_words);
        exit(EXIT_FAILURE);
    }
    if (!strcmp(command, "quit"))
        exit(EXIT_SUCCESS);
    if (is_lie(command))
        return lie(answer);
    for (size_t i = 0; i < NR_COMMANDS && !known; i++) {
        known = !strcmp(command, commands[i].name);
        error = known ? commands[i].run(o, line, result, sizeof result) : NULL;
    }
    if (!known)
        error = "The command has not been found";
    if (error)
        snprintf(answer, QMP_ANSWER_SIZE,
                 "{\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}, \"id\": %s}\r\n",
                 known ? "GenericError" : "CommandNotFound", error, id);
    else
        snprintf(answer, QMP_ANSWER_SIZE, "{\"return\": %s, \"id\": %s}\r\n", result, id);
    return strlen(answer);
}
