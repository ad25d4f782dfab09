/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: ctx->xen->list, the list of domains, which the context's lock guards. The handles belong to
 * handles.c. Each hypercall takes only microseconds, so the calling thread makes it.
 */
#include "xen.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_KB = 4 };

/* The message for ESRCH says that the domain does not exist. */
int libxl__hv_fail(libxl__ao *ao, libxl__call call, const char *what, uint32_t domid)
{
    if (errno == ESRCH)
        return libxl__ao_fail(ao, ERROR_DOMAIN_NOTFOUND, "domid: there is no domain %u", domid);
    return libxl__ao_fail(ao, libxl__errno_rc(call, errno), "%s domain %u: %m", what, domid);
}

/* The text of the message about a reserved domid. */
#define DOMID_WRONG "domid: %u is not between 0 and %u"

int libxl__hv_check_domid(uint32_t domid)
{
    if (domid < LIBXL__DOMID_FIRST_RESERVED)
        return 0;
    return libxl__refuse(ERROR_INVAL, DOMID_WRONG, domid, LIBXL__DOMID_FIRST_RESERVED - 1);
}

static int check_domid(libxl__ao *ao, uint32_t domid)
{
    if (domid < LIBXL__DOMID_FIRST_RESERVED)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL, DOMID_WRONG, domid, LIBXL__DOMID_FIRST_RESERVED - 1);
}

int libxl__hv_pause(libxl__ao *ao, uint32_t domid)
{
    int rc = check_domid(ao, domid);
    if (rc || !xc_domain_pause(libxl__xch(ao->ctx), domid))
        return rc;
    switch (errno) {
    case EINVAL: return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u cannot pause itself", domid);
    case EUSERS:
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u is paused 255 times already", domid);
    default: return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "pausing", domid);
    }
}

int libxl__hv_set_handle(libxl__ao *ao, libxl__call call, uint32_t domid, const libxl_uuid *uuid)
{
    uint8_t handle[sizeof(uuid->uuid)];
    memcpy(handle, uuid->uuid, sizeof(handle));
    return xc_domain_sethandle(libxl__xch(ao->ctx), domid, handle)
               ? libxl__hv_fail(ao, call, "giving the UUID to", domid)
               : 0;
}

int libxl__hv_unpause(libxl__ao *ao, uint32_t domid)
{
    int rc = check_domid(ao, domid);
    if (rc || !xc_domain_unpause(libxl__xch(ao->ctx), domid))
        return rc;
    if (errno == EINVAL)
        return libxl__ao_fail(ao, ERROR_NOT_PAUSED, "domid: domain %u is not paused", domid);
    return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "unpausing", domid);
}

int libxl__hv_suspend(libxl__ao *ao, uint32_t domid)
{
    return xc_domain_shutdown(libxl__xch(ao->ctx), domid, SHUTDOWN_suspend)
               ? libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "suspending", domid)
               : 0;
}

int libxl__hv_hvm_param(libxl__ao *ao, uint32_t domid, uint32_t param, uint64_t *value)
{
    return xc_hvm_param_get(libxl__xch(ao->ctx), domid, param, value)
               ? libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "asking about", domid)
               : 0;
}

static libxl_uuid uuid_of(const xc_domaininfo_t *info)
{
    libxl_uuid uuid;
    memcpy(uuid.uuid, info->handle, sizeof(uuid.uuid));
    return uuid;
}

int libxl__hv_look(libxl__ao *ao, uint32_t domid, xc_domaininfo_t *info)
{
    int rc = check_domid(ao, domid);
    if (rc)
        return rc;
    /* The hypercall returns the first domain with this domid or a larger one. That may be another domain. */
    int count = xc_domain_getinfolist(libxl__xch(ao->ctx), domid, 1, info);
    if (count < 0 && errno != ESRCH)
        return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "asking about", domid);
    if (count != 1 || info->domain != domid)
        return ERROR_DOMAIN_NOTFOUND;
    if (domid == ao->subject.number)
        ao->subject.uuid = uuid_of(info);
    return 0;
}

int libxl__hv_info(libxl__ao *ao, uint32_t domid, xc_domaininfo_t *info)
{
    int rc = libxl__hv_look(ao, domid, info);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return libxl__ao_fail(ao, rc, "domid: there is no domain %u", domid);
    return rc;
}

int libxl__hv_list_page(libxl_ctx *ctx, uint32_t *first, xc_domaininfo_t *page)
{
    int got = xc_domain_getinfolist(libxl__xch(ctx), *first, LIBXL__HV_PAGE, page);
    if (got > 0)
        *first = page[got - 1].domain + 1u;
    return got;
}

/* Makes room in the list for one more page of domains. Returns 0, or -1 with errno. */
static int make_room(struct libxl__domain_list *list)
{
    if (list->room - list->count >= LIBXL__HV_PAGE)
        return 0;
    const uint32_t room = list->room ? 2 * list->room : 2 * LIBXL__HV_PAGE;
    xc_domaininfo_t *larger = realloc(list->infos, room * sizeof(*larger));
    if (!larger) {
        errno = ENOMEM;
        return -1;
    }
    list->infos = larger;
    list->room = room;
    return 0;
}

int libxl__hv_list(libxl_ctx *ctx, const xc_domaininfo_t **list_out)
{
    struct libxl__domain_list *list = &ctx->xen->list;
    uint32_t first = 0;
    int got;
    list->count = 0;
    do {
        got = make_room(list) ? -1 : libxl__hv_list_page(ctx, &first, list->infos + list->count);
        if (got < 0)
            return -1;
        list->count += (uint32_t)got;
    } while (got == LIBXL__HV_PAGE);
    *list_out = list->infos;
    return (int)list->count;
}

static bool is_living(const xc_domaininfo_t *info, const libxl_uuid *uuid)
{
    return !(info->flags & XEN_DOMINF_dying) && memcmp(info->handle, uuid->uuid, sizeof(info->handle)) == 0;
}

int libxl__hv_find(libxl__ao *ao, const libxl_uuid *uuid, uint32_t except, uint32_t *domid_out)
{
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    uint32_t first = 0;
    int got;
    *domid_out = LIBXL_DOMID_INVALID;
    do {
        got = libxl__hv_list_page(ao->ctx, &first, page);
        if (got < 0)
            return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
        for (int i = 0; i < got; i++)
            if (page[i].domain != except && is_living(&page[i], uuid)) {
                *domid_out = page[i].domain;
                return 0;
            }
    } while (got == LIBXL__HV_PAGE);
    return 0;
}

/* Returns the reason that the guest has given for its shutdown. A guest may give any number. */
static uint8_t shutdown_code(const xc_domaininfo_t *info)
{
    return info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

libxl_shutdown_reason libxl__hv_shutdown_reason(uint8_t code)
{
    return code <= LIBXL_SHUTDOWN_REASON_SOFT_RESET ? (libxl_shutdown_reason)code
                                                    : LIBXL_SHUTDOWN_REASON_UNKNOWN;
}

libxl_domain_type libxl__hv_type(const xc_domaininfo_t *info)
{
    if (!(info->flags & XEN_DOMINF_hvm_guest))
        return LIBXL_DOMAIN_TYPE_PV;
    /* A PVH guest has no emulated interrupt controller or timer. */
    const uint32_t pc_devices = XEN_X86_EMU_PIC | XEN_X86_EMU_IOAPIC | XEN_X86_EMU_PIT;
    return info->arch_config.emulation_flags & pc_devices ? LIBXL_DOMAIN_TYPE_HVM : LIBXL_DOMAIN_TYPE_PVH;
}

enum { MOST_LABEL = 1024 };

char *libxl__hv_label(libxl_ctx *ctx, uint32_t ssidref)
{
    atomic_bool *absent = &ctx->xen->no_flask;
    char text[MOST_LABEL] = "";
    if (atomic_load_explicit(absent, memory_order_relaxed))
        return NULL;
    if (!xc_flask_sid_to_context(libxl__xch(ctx), (int)ssidref, text, sizeof(text) - 1))
        return strdup(text);
    if (errno == ENOSYS)
        atomic_store_explicit(absent, true, memory_order_relaxed);
    return NULL;
}

/*
 * Sets every member explicitly. Otherwise the compiler clears the structure first, which takes as long as
 * setting the members.
 */
void libxl__hv_dominfo(const xc_domaininfo_t *info, libxl_dominfo *out)
{
    *out = (libxl_dominfo){
        .uuid = uuid_of(info),
        .domid = info->domain,
        .ssidref = info->ssidref,
        .running = info->flags & XEN_DOMINF_running,
        .blocked = info->flags & XEN_DOMINF_blocked,
        .paused = info->flags & XEN_DOMINF_paused,
        .shutdown = info->flags & XEN_DOMINF_shutdown,
        .dying = info->flags & XEN_DOMINF_dying,
        .never_stop = info->flags & XEN_DOMINF_xs_domain,
        .shutdown_reason = info->flags & XEN_DOMINF_shutdown ? libxl__hv_shutdown_reason(shutdown_code(info))
                                                             : LIBXL_SHUTDOWN_REASON_UNKNOWN,
        .outstanding_memkb = info->outstanding_pages * PAGE_KB,
        .current_memkb = info->tot_pages * PAGE_KB,
        .shared_memkb = info->shr_pages * PAGE_KB,
        .paged_memkb = info->paged_pages * PAGE_KB,
        .max_memkb = info->max_pages * PAGE_KB,
        .cpu_time = info->cpu_time,
        .vcpu_max_id = info->max_vcpu_id,
        .vcpu_online = info->nr_online_vcpus,
        .cpupool = info->cpupool,
        .gpaddr_bits = info->gpaddr_bits,
        .domain_type = libxl__hv_type(info),
    };
}

int libxl__hv_physinfo(libxl__ao *ao, libxl_physinfo *out)
{
    xc_physinfo_t info = {.max_cpu_id = 0};
    xc_interface *xch = libxl__xch(ao->ctx);
    if (xc_physinfo(xch, &info))
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "asking about the host: %m");
    *out = (libxl_physinfo){
        .threads_per_core = info.threads_per_core,
        .cores_per_socket = info.cores_per_socket,
        .max_cpu_id = info.max_cpu_id,
        .nr_cpus = info.nr_cpus,
        .cpu_khz = info.cpu_khz,
        .total_pages = info.total_pages,
        .free_pages = info.free_pages,
        .scrub_pages = info.scrub_pages,
        .outstanding_pages = info.outstanding_pages,
        .max_possible_mfn = info.max_mfn,
        .nr_nodes = info.nr_nodes,
        .cap_hvm = info.capabilities & XEN_SYSCTL_PHYSCAP_hvm,
        .cap_pv = info.capabilities & XEN_SYSCTL_PHYSCAP_pv,
        .cap_hvm_directio = info.capabilities & XEN_SYSCTL_PHYSCAP_directio,
        .cap_hap = info.capabilities & XEN_SYSCTL_PHYSCAP_hap,
        .cap_shadow = info.capabilities & XEN_SYSCTL_PHYSCAP_shadow,
        .cap_iommu_hap_pt_share = info.capabilities & XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share,
        .cap_vmtrace = info.capabilities & XEN_SYSCTL_PHYSCAP_vmtrace,
        .cap_vpmu = info.capabilities & XEN_SYSCTL_PHYSCAP_vpmu,
        .cap_gnttab_v1 = info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .cap_gnttab_v2 = info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2,
    };
    memcpy(out->hw_cap, info.hw_cap, sizeof(out->hw_cap));
    /* If the hypervisor has no memory sharing, these two hypercalls fail, and the numbers are 0. */
    const long freed = xc_sharing_freed_pages(xch), used = xc_sharing_used_frames(xch);
    out->sharing_freed_pages = freed > 0 ? (uint64_t)freed : 0;
    out->sharing_used_frames = used > 0 ? (uint64_t)used : 0;
    return 0;
}

/* The greatest length of a build ID that this library shows, in octets. */
enum { BUILD_ID_MAX = 1000 };

/* Returns the octets as hexadecimal digits, which the caller frees. Returns NULL if there is no memory. */
static char *hex(const unsigned char *octets, size_t count)
{
    char *text = calloc(2 * count + 1, 1);
    for (size_t i = 0; text && i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", octets[i]);
    return text;
}

int libxl__hv_version(libxl__ao *ao, libxl_version_info *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    union {
        xen_extraversion_t extra;
        xen_compile_info_t build;
        xen_capabilities_info_t capabilities;
        xen_changeset_info_t changeset;
        xen_commandline_t commandline;
        xen_platform_parameters_t platform;
        unsigned char id[sizeof(xen_build_id_t) + BUILD_ID_MAX];
    } u;
    int version = xc_version(xch, XENVER_version, NULL);
    if (version < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno),
                              "asking for the hypervisor's version: %m");
    libxl_version_info_init(out);
    out->xen_version_major = version >> 16;
    out->xen_version_minor = version & 0xffff;
    out->pagesize = xc_version(xch, XENVER_pagesize, NULL);
    bool failed = false;
    /*
     * The hypervisor pads its texts with zeros. A text that fills its array has no terminating zero, so
     * strndup limits its length.
     */
#define TEXT(command, member, source)                                                                        \
    do {                                                                                                     \
        memset(&u, 0, sizeof(u));                                                                            \
        if (xc_version(xch, command, &u) < 0)                                                                \
            failed = true;                                                                                   \
        else if (!(out->member = strndup(source, sizeof(source) - 1)))                                       \
            failed = true;                                                                                   \
    } while (0)
    TEXT(XENVER_extraversion, xen_version_extra, u.extra);
    TEXT(XENVER_capabilities, capabilities, u.capabilities);
    TEXT(XENVER_changeset, changeset, u.changeset);
    TEXT(XENVER_commandline, commandline, u.commandline);
    TEXT(XENVER_compile_info, compiler, u.build.compiler);
    TEXT(XENVER_compile_info, compile_by, u.build.compile_by);
    TEXT(XENVER_compile_info, compile_domain, u.build.compile_domain);
    TEXT(XENVER_compile_info, compile_date, u.build.compile_date);
#undef TEXT
    if (xc_version(xch, XENVER_platform_parameters, &u.platform) < 0)
        failed = true;
    else
        out->virt_start = u.platform.virt_start;
    memset(&u, 0, sizeof(u));
    xen_build_id_t *id = (void *)u.id;
    id->len = BUILD_ID_MAX;
    /* A hypervisor without a build ID returns an error. */
    const int length = xc_version(xch, XENVER_build_id, id);
    if (!(out->build_id = hex(id->buf, length < 0 ? 0 : (size_t)length)))
        failed = true;
    if (!failed)
        return 0;
    libxl_version_info_dispose(out);
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno),
                          "asking for the hypervisor's version: %m");
}
