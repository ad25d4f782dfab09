/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns nothing: the names and the batches belong to the operation. The context's lock guards everything. */
#include "xs_directory.h"

#include <string.h>

enum { MOST_RESTARTS = 10, FIRST_ROOM = 32 };

/* Starts to read the next part of the list. */
static int read_part(libxl__ao *ao, libxl__xs_directory *directory)
{
    libxl__xs_batch_free(directory->batch);
    directory->batch = libxl__xs_batch_new(ao, 0);
    if (!directory->batch)
        return ERROR_NOMEM;
    if (directory->for_application)
        libxl__xs_for_application(directory->batch);
    directory->request = libxl__xs_list(directory->batch, directory->offset, "%s", directory->path);
    const int rc = libxl__xs_run(directory->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int add_name(libxl__ao *ao, libxl__xs_directory *directory, const char *name, size_t length)
{
    if (directory->count == directory->room) {
        const uint32_t room = 2 * directory->room;
        const char **larger = libxl__gc_alloc(&ao->gc, room * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        memcpy(larger, directory->names, directory->count * sizeof(*larger));
        directory->names = larger;
        directory->room = room;
    }
    const char *copy = libxl__gc_printf(&ao->gc, "%.*s", (int)length, name);
    if (!copy)
        return ERROR_NOMEM;
    directory->names[directory->count++] = copy;
    return 0;
}

/*
 * Adds the names of a part to the result. Returns 0 at the end of the list, LIBXL__AO_WAIT if there are more
 * parts, or an error.
 */
static int add_names(libxl__ao *ao, libxl__xs_directory *directory, const char *names, size_t size)
{
    size_t at = 0;
    while (at < size && names[at]) {
        const size_t length = strnlen(names + at, size - at);
        const int rc = add_name(ao, directory, names + at, length);
        if (rc)
            return rc;
        at += length + 1;
    }
    if (at < size || !at)
        return 0;
    directory->offset += (uint32_t)at;
    return LIBXL__AO_WAIT;
}

int libxl__xs_directory_start(libxl__ao *ao, libxl__xs_directory *directory, const char *path)
{
    *directory = (libxl__xs_directory){
        .path = path, .for_application = directory->for_application, .room = FIRST_ROOM};
    directory->names = libxl__gc_alloc(&ao->gc, FIRST_ROOM * sizeof(*directory->names));
    return directory->names ? read_part(ao, directory) : ERROR_NOMEM;
}

/*
 * Handles a part of the list. If the list has changed between two parts, starts again, MOST_RESTARTS times at
 * most.
 */
int libxl__xs_directory_step(libxl__ao *ao, libxl__xs_directory *directory)
{
    const char *version;
    size_t size;
    if (!libxl__xs_done(directory->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(directory->batch);
    const char *names = rc ? NULL : libxl__xs_names(directory->request, &size, &version);
    directory->missing = !names;
    if (!names)
        return rc;
    if (directory->version && strcmp(version, directory->version) != 0 &&
        directory->restarts++ < MOST_RESTARTS) {
        directory->offset = directory->count = 0;
        directory->version = NULL;
        return read_part(ao, directory);
    }
    directory->version = libxl__gc_printf(&ao->gc, "%s", version);
    if (!directory->version)
        return ERROR_NOMEM;
    rc = add_names(ao, directory, names, size);
    return rc == LIBXL__AO_WAIT ? read_part(ao, directory) : rc;
}
