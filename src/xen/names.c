/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns nothing: a search and its batches belong to the operation. The context's lock guards everything.
 *
 * A search may use kept names only after all watch events that xenstored has sent before the search have
 * arrived. xenstored sends these events before its next answer. So a search with kept names first reads some
 * node (CATCHING_UP), and waits for the answer. Then it uses the kept names.
 */
#include "names.h"
#include "xen.h"

#include <errno.h>
#include <string.h>

struct libxl__name_read {
    uint32_t domid;
    libxl__xs_request *request;
};

/*
 * Searches the known kept names. If the name is not among them, starts to read the names of all domains whose
 * names are not known.
 */
static int look_up(libxl__ao *ao, libxl__name_search *search)
{
    libxl_ctx *ctx = ao->ctx;
    const xc_domaininfo_t *list;
    const int listed = libxl__hv_list(ctx, &list);
    if (listed < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
    const uint32_t count = (uint32_t)listed;
    search->reads = libxl__gc_alloc(&ao->gc, count * sizeof(*search->reads));
    if (!search->batch)
        search->batch = libxl__xs_batch_new(ao, 0);
    if (!search->reads || !search->batch)
        return ERROR_NOMEM;
    /* Registers the watches before the names are read, so that no change is missed. */
    libxl__kept_names_update(ctx, list, count, search->keep);
    search->domid = libxl__kept_names_find(ctx, search->name);
    for (uint32_t i = 0; i < count && search->domid == LIBXL_DOMID_INVALID; i++) {
        const uint32_t domid = list[i].domain;
        if (!libxl__kept_names_known(ctx, domid))
            search->reads[search->count++] = (struct libxl__name_read){
                .domid = domid, .request = libxl__xs_read(search->batch, "/local/domain/%u/name", domid)};
    }
    search->event_seq = ctx->xen->watches.event_seq;
    search->phase = LIBXL__NAMES_READING;
    return libxl__xs_run(search->batch, LIBXL__XS_ONE_BY_ONE);
}

int libxl__name_search_start(libxl__ao *ao, libxl__name_search *search, const char *name, bool keep,
                             libxl__xs_batch *first)
{
    *search = (libxl__name_search){.name = name, .keep = keep, .batch = first, .domid = LIBXL_DOMID_INVALID};
    if (!ao->ctx->xen->kept_names.count) {
        int rc = look_up(ao, search);
        /* Names are kept only after the search has started. So a context's first search keeps no names. */
        if (keep && !rc)
            libxl__kept_names_extend(ao->ctx);
        return rc;
    }
    if (keep)
        libxl__kept_names_extend(ao->ctx);
    if (!search->batch)
        search->batch = libxl__xs_batch_new(ao, 0);
    if (!search->batch)
        return ERROR_NOMEM;
    libxl__xs_read(search->batch, "/local/domain");
    return libxl__xs_run(search->batch, LIBXL__XS_ONE_BY_ONE);
}

int libxl__name_search_step(libxl__ao *ao, libxl__name_search *search, uint32_t *domid_out)
{
    if (!libxl__xs_done(search->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(search->batch);
    if (!rc && search->phase == LIBXL__NAMES_CATCHING_UP) {
        libxl__xs_batch_free(search->batch);
        search->batch = NULL;
        rc = look_up(ao, search);
        return rc ? rc : libxl__name_search_step(ao, search, domid_out);
    }
    for (uint32_t i = 0; !rc && i < search->count; i++) {
        const struct libxl__name_read *read = &search->reads[i];
        const char *text = libxl__xs_value(read->request);
        libxl__kept_names_note(ao->ctx, read->domid, text, search->event_seq);
        if (text && strcmp(text, search->name) == 0)
            search->domid = read->domid;
    }
    *domid_out = search->domid;
    return rc;
}
