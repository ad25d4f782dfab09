/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the backends that device_events_handler serves, and the list of the folders that contain the backends.
 *
 * A toolstack in another domain has made the nodes. So the length of each name, the value of each number, and the
 * number of backends are bounded.
 *
 * Owns: the structures of the backends and of the list, until the operation ends. The caller holds the context's lock.
 */
#include "backends_served.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "/local/domain/%u/backend"

/* ---- the table of backends */

const uint64_t *libxl__served_key(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, struct served_backend, link)->key;
}

/*
 * Returns the next backend of the same guest after `b`. `first` is the guest's oldest backend. Returns NULL if it
 * comes next.
 */
static struct served_backend *next_of_guest(const struct served_backend *b, const libxl__index_link *first)
{
    return b->link.newer == first ? NULL : LIBXL__CONTAINER(b->link.newer, struct served_backend, link);
}

static struct served_backend *first_of_guest(const struct device_events_handler *s, uint32_t domid)
{
    const uint64_t key = domid;
    libxl__index_link *link = libxl__index_find((libxl__index *)&s->index, &key);
    return link ? LIBXL__CONTAINER(link, struct served_backend, link) : NULL;
}

/* A loop over the backends of the guest `domid`. The caller declares `b` and `first`, which the loop sets. */
#define OF_GUEST(b, s, domid, first)                                                                         \
    for (b = first_of_guest(s, domid), first = b ? &b->link : NULL; b; b = next_of_guest(b, first))

void libxl__served_mark(struct served_backend *b)
{
    struct device_events_handler *s = b->handler;
    if (b->marked)
        return;
    b->marked = true;
    if (!b->reading)
        TAILQ_INSERT_TAIL(&s->marked, b, queue_link);
    libxl__source_fire(&s->source);
}

/*
 * Marks all backends. `lost` true: watch events may have been lost, so the nodes of each backend may have changed.
 * `lost` false: only removals may have been missed, because each new backend causes an event.
 */
static void mark_all(struct device_events_handler *s, bool lost)
{
    struct served_backend *b;
    LIST_FOREACH (b, &s->all, all_link) {
        b->told |= lost || b->held;
        libxl__served_mark(b);
    }
}

void libxl__served_wait(struct served_backend *b)
{
    if (!b->waits)
        TAILQ_INSERT_TAIL(&b->handler->waiting, b, waiting_link);
    b->waits = true;
}

void libxl__served_wait_no_more(struct served_backend *b)
{
    if (b->waits)
        TAILQ_REMOVE(&b->handler->waiting, b, waiting_link);
    b->waits = false;
}

static bool is_bounded(struct device_events_handler *s)
{
    char text[80];
    if (s->count < LIBXL__BACKENDS_MOST)
        return true;
    snprintf(text, sizeof(text), "more than %d backends: the others are not served", LIBXL__BACKENDS_MOST);
    libxl__log_recurring(s->ao->ctx, &s->refusals, XTL_ERROR, -1, text);
    return false;
}

/*
 * Marks the backend. If it is not known yet, adds it. If there are LIBXL__BACKENDS_MOST backends already, ignores the
 * new backend and logs this. `renewed` true: the backend's folder was removed or made. Returns 0 or NOMEM.
 */
static int mark_number(struct device_events_handler *s, const char *kind, uint32_t domid, uint32_t devid,
                       bool renewed)
{
    struct served_backend *b;
    const libxl__index_link *first;
    OF_GUEST(b, s, domid, first)
    {
        if (b->devid == devid && strcmp(b->kind, kind) == 0) {
            b->told = true;
            b->renewed |= renewed;
            if (renewed && b->state == LIBXL__BACKEND_CONNECTING && b->work.child)
                libxl__ao_request_stop(b->work.child, ERROR_ABORTED);
            libxl__served_mark(b);
            return 0;
        }
    }
    if (domid >= LIBXL__DOMID_FIRST_RESERVED || strlen(kind) >= sizeof(b->kind) || !is_bounded(s))
        return 0;
    b = calloc(1, sizeof(*b));
    if (!b)
        return ERROR_NOMEM;
    b->handler = s;
    b->key = domid;
    b->domid = domid;
    b->devid = devid;
    snprintf(b->kind, sizeof(b->kind), "%s", kind);
    libxl__index_add(&s->index, &b->link);
    LIST_INSERT_HEAD(&s->all, b, all_link);
    s->count++;
    libxl__served_mark(b);
    return 0;
}

bool libxl__served_has_model(const struct served_backend *b)
{
    const struct served_backend *other;
    const libxl__index_link *first;
    OF_GUEST(other, b->handler, b->domid, first)
    if (other != b && other->uses_model)
        return true;
    return false;
}

bool libxl__served_has_unknown(const struct served_backend *b)
{
    const struct served_backend *other;
    const libxl__index_link *first;
    if (!libxl__backend_is_of_qemu(b->kind))
        return false;
    OF_GUEST(other, b->handler, b->domid, first)
    if (other != b && !other->known && libxl__backend_is_of_qemu(other->kind))
        return true;
    return false;
}

bool libxl__served_ends_model(const struct served_backend *b)
{
    const struct served_backend *other;
    const libxl__index_link *first;
    OF_GUEST(other, b->handler, b->domid, first)
    if (other->state == LIBXL__BACKEND_RELEASING && other->ends_model)
        return true;
    return false;
}

void libxl__served_forget(struct served_backend *b)
{
    struct device_events_handler *s = b->handler;
    if (b->reading)
        TAILQ_REMOVE(&s->reading, b, queue_link);
    else if (b->marked)
        TAILQ_REMOVE(&s->marked, b, queue_link);
    libxl__served_wait_no_more(b);
    libxl__backend_forget_kept(&b->kept);
    libxl__index_remove(&s->index, &b->link);
    LIST_REMOVE(b, all_link);
    s->count--;
    free(b);
}

/* ---- marking the backend whose node has changed */

/* Reads a number that ends at a slash or at the end of the text. Returns the rest of the text; NULL: no number. */
static const char *number_in(const char *text, uint32_t *number)
{
    char *rest;
    errno = 0;
    const unsigned long value = *text >= '0' && *text <= '9' ? strtoul(text, &rest, 10) : UINT32_MAX;
    if (value >= UINT32_MAX || errno || (*rest && *rest != '/'))
        return NULL;
    *number = (uint32_t)value;
    return rest;
}

/*
 * Returns whether a change of this node means that the backend's nodes must be read. libxl's daemon reacts to the
 * same nodes.
 */
static bool is_telling(const char *rest)
{
    return !*rest || strcmp(rest, "/state") == 0 || strcmp(rest, "/online") == 0;
}

void libxl__served_changed(struct device_events_handler *s, const char *path)
{
    char root[48], kind[LIBXL__DEVICE_KIND];
    uint32_t domid, devid;
    const size_t length = (size_t)snprintf(root, sizeof(root), ROOT "/", s->self);
    const char *at = path && strncmp(path, root, length) == 0 ? path + length : "";
    const size_t end = strcspn(at, "/");
    const char *rest = end < sizeof(kind) && at[end] ? number_in(at + end + 1, &domid) : NULL;
    if (rest && *rest)
        rest = number_in(rest + 1, &devid);
    else if (end < sizeof(kind))
        /*
         * The path is a folder above the backends. Backends below it may have been removed. A new backend causes
         * another event, which names the backend.
         */
        rest = NULL;
    if (!rest) {
        mark_all(s, false);
        return;
    }
    snprintf(kind, sizeof(kind), "%.*s", (int)end, at);
    if (is_telling(rest) && mark_number(s, kind, domid, devid, !*rest))
        s->relisting.list_again = true;
}

/* ---- listing the backends of this domain */

static int add_folder(struct device_events_handler *s, const char *kind, uint32_t domid)
{
    struct backends_folder *folder = calloc(1, sizeof(*folder));
    if (!folder)
        return ERROR_NOMEM;
    snprintf(folder->kind, sizeof(folder->kind), "%s", kind);
    folder->domid = domid;
    STAILQ_INSERT_TAIL(&s->folders, folder, link);
    return 0;
}

void libxl__served_list_end(struct device_events_handler *s)
{
    struct backends_folder *folder;
    libxl__xs_batch_free(s->listing);
    s->listing = NULL;
    while ((folder = STAILQ_FIRST(&s->folders))) {
        STAILQ_REMOVE_HEAD(&s->folders, link);
        free(folder);
    }
}

int libxl__served_list(struct device_events_handler *s)
{
    libxl__served_list_end(s);
    mark_all(s, true);
    return add_folder(s, "", UINT32_MAX);
}

/*
 * Starts to read the next part of each folder at the head of `folders`, LIBXL__BACKENDS_READ_AT_ONCE folders at most.
 */
static int read_parts(struct device_events_handler *s)
{
    struct backends_folder *folder;
    int count = 0;
    s->listing = libxl__xs_batch_new(s->ao, 0);
    if (!s->listing)
        return ERROR_NOMEM;
    STAILQ_FOREACH (folder, &s->folders, link) {
        if (count++ == LIBXL__BACKENDS_READ_AT_ONCE)
            break;
        folder->part = !*folder->kind ? libxl__xs_list(s->listing, folder->offset, ROOT, s->self)
                       : folder->domid == UINT32_MAX
                           ? libxl__xs_list(s->listing, folder->offset, ROOT "/%s", s->self, folder->kind)
                           : libxl__xs_list(s->listing, folder->offset, ROOT "/%s/%u", s->self, folder->kind,
                                            folder->domid);
    }
    libxl__xs_run_anyway(s->listing, LIBXL__XS_ONE_BY_ONE);
    return LIBXL__AO_WAIT;
}

/* Adds the folder or the backend that a name in a folder stands for. Ignores other names. */
static int add_name(struct device_events_handler *s, const struct backends_folder *folder, const char *name)
{
    uint32_t number;
    const char *rest = *folder->kind ? number_in(name, &number) : NULL;
    if (!*folder->kind)
        return strlen(name) < sizeof(folder->kind) ? add_folder(s, name, UINT32_MAX) : 0;
    if (!rest || *rest)
        return 0;
    if (folder->domid != UINT32_MAX)
        return mark_number(s, folder->kind, folder->domid, number, false);
    return number < LIBXL__DOMID_FIRST_RESERVED ? add_folder(s, folder->kind, number) : 0;
}

/*
 * Adds the names of one part of a list. If the list has changed since its first part was read, starts again with the
 * first part. Returns 0 or NOMEM. Sets *complete to whether this was the last part.
 */
static int take_part(struct device_events_handler *s, struct backends_folder *folder, bool *complete)
{
    size_t size = 0;
    const char *version, *names = libxl__xs_names(folder->part, &size, &version), *at = names;
    folder->part = NULL;
    *complete = !names;
    if (!names)
        return 0;
    if (*folder->version && strcmp(version, folder->version) != 0) {
        folder->offset = 0;
        folder->version[0] = 0;
        return 0;
    }
    for (const char *end = names + size; at < end && *at; at += strlen(at) + 1)
        if (add_name(s, folder, at))
            return ERROR_NOMEM;
    *complete = at < names + size || at == names;
    folder->offset += (uint32_t)(at - names);
    snprintf(folder->version, sizeof(folder->version), "%s", version);
    return 0;
}

static int parts_read(struct device_events_handler *s)
{
    struct backends_folder *folder;
    int rc = libxl__xs_rc(s->listing);
    while (!rc && (folder = STAILQ_FIRST(&s->folders)) && folder->part) {
        bool complete = false;
        STAILQ_REMOVE_HEAD(&s->folders, link);
        rc = take_part(s, folder, &complete);
        if (complete || rc)
            free(folder);
        else
            STAILQ_INSERT_TAIL(&s->folders, folder, link);
    }
    libxl__xs_batch_free(s->listing);
    s->listing = NULL;
    return rc;
}

int libxl__served_list_step(struct device_events_handler *s)
{
    int rc = 0;
    if (s->listing)
        rc = libxl__xs_done(s->listing) ? parts_read(s) : LIBXL__AO_WAIT;
    return rc || STAILQ_EMPTY(&s->folders) ? rc : read_parts(s);
}
