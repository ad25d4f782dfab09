/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bodies of the instant operations on FLASK, on the hypervisor's messages and parameters, and on the
 * resources that the processors of a socket share. Each body calls one function of src/xen/host_calls.h. A
 * synchronous call takes no lock (ao.h). This file owns nothing.
 */
#include "host_calls.h"
#include "ops.h"

/* Defines the body of an instant operation that makes one call. */
#define BODY(name, call)                                                                                     \
    int libxl__##name##_body(libxl__ao *ao, libxl__##name##_args *args)                                      \
    {                                                                                                        \
        return call;                                                                                         \
    }

BODY(host_flask_enforcing, libxl__hv_flask_enforcing(ao, args->out.enforcing))
BODY(host_flask_set_enforcing, libxl__hv_flask_set_enforcing(ao, args->in.enforcing))
BODY(host_flask_load, libxl__hv_flask_load(ao, &args->in.policy))
BODY(host_flask_label, libxl__hv_flask_label(ao, args->in.ssidref, args->out.label))
BODY(host_flask_number, libxl__hv_flask_number(ao, args->in.label, args->out.ssidref))
BODY(host_console_ring, libxl__hv_console_ring(ao, args->in.clear, args->out.messages))
BODY(host_set_parameters, libxl__hv_set_parameters(ao, args->in.params))
BODY(host_psr_cmt, libxl__hv_psr_cmt(ao, args->out.info))
BODY(host_psr_cache_size, libxl__hv_psr_cache_size(ao, args->in.socket, args->out.kb))
BODY(host_psr_hw_info, libxl__hv_psr_hw_info(ao, args->in.feature, args->in.level, args->out.list))
BODY(domain_psr_attach, libxl__hv_psr_attach(ao, args->in.domid, true))
BODY(domain_psr_detach, libxl__hv_psr_attach(ao, args->in.domid, false))
BODY(domain_psr_attached, libxl__hv_psr_attached(ao, args->in.domid, args->out.attached))
BODY(domain_psr_sample,
     libxl__hv_psr_sample(ao, args->in.domid, args->in.type, args->in.socket, args->out.sample))
BODY(domain_psr_get, libxl__hv_psr_get(ao, args->in.domid, args->in.type, args->in.socket, args->out.value))
BODY(domain_psr_set, libxl__hv_psr_set(ao, args->in.domid, args->in.type, &args->in.sockets, args->in.value))
